"""mul: broadcasting, scales far apart, fused activations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import ACTIVATIONS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import Scheme, binary_case, random_triples, shape_cases


def _vectors(name: str, schemes: tuple[Scheme, Scheme, Scheme]) -> Case:
    return binary_case(name, "mul", ArithmeticAttrs(), (1, 120), (1, 120), schemes=schemes)


CASES = shape_cases("mul", ArithmeticAttrs(), schemes=((0.05, 3), (0.02, -7), (0.02, 11)))
CASES += [_vectors(f"drawn_{i}", schemes) for i, schemes in enumerate(random_triples(23, 16, product=True))]
CASES += [
    binary_case(f"activation_{name}", "mul", ArithmeticAttrs(name), (1, 9, 5), (1, 9, 5), schemes=schemes)
    for name in ACTIVATIONS[1:]
    for schemes in [((0.05, 3), (0.04, -7), (0.03, -20))]
]
CASES += [
    _vectors(f"zero_points_{a}_{b}_{y}", schemes)
    for a, b, y in ((-128, -128, 127), (127, 127, -128), (-128, 127, 0))
    for schemes in [((0.05, a), (0.05, b), (0.3, y))]
]
CASES += [
    _vectors("ratio_above_1", ((9.0, 3), (2.0, -7), (1.0, 1))),
    _vectors("tiny_ratio", ((1e-6, 3), (1e-5, -7), (3.0, 1))),
]


def test_mul_refuses_what_overflows() -> None:
    schemes = ((256.0, 0), (256.0, 0), (1.0, 0))
    case = _vectors("overflow", schemes)
    (problem,) = node_problems(case.node())
    assert "2**15" in problem.rule


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_mul(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_mul_of_three_keras_inputs_is_a_chain() -> None:
    builder = GraphBuilder("model", OPERATORS)
    names = [builder.input(name, (1, 4)) for name in "abc"]
    y = OPERATORS["mul"].from_keras(KerasLayer("layer", "Multiply", {}), names, builder)
    a, b, c = (np.random.default_rng(i).normal(size=(2, 1, 4)).astype(np.float32) for i in range(3))
    assert [node.name for node in builder.nodes] == ["layer/1", "layer"]
    np.testing.assert_array_equal(run_graph(builder.graph([y]), [a, b, c])[0], (a * b) * c)


def test_mul_refuses_keras_inputs_that_do_not_broadcast() -> None:
    builder = GraphBuilder("model", OPERATORS)
    names = [builder.input("a", (1, 4)), builder.input("b", (1, 3))]
    with pytest.raises(LayerRefused, match="broadcast"):
        OPERATORS["mul"].from_keras(KerasLayer("layer", "Multiply", {}), names, builder)
