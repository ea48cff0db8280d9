"""prelu: slopes of every shape that broadcasts to x."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.ops import OPERATORS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import Scheme, binary_case
from tests.ops.int16 import as_int16

_SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "channels": ((1, 5, 3, 7), (1, 1, 7)),
    "every_element": ((1, 5, 3, 7), (5, 3, 7)),
    "batch_too": ((1, 5, 3, 7), (1, 5, 3, 7)),
    "rows": ((1, 5, 3, 7), (5, 1, 1)),
    "one_slope": ((1, 5, 3, 7), (1, 1, 1)),
    "one_element": ((1, 1), (1,)),
    "dense": ((1, 13), (13,)),
    "one_dimension": ((1, 9, 4), (1, 4)),
}


def case(
    name: str, x: tuple[int, ...], alpha: tuple[int, ...], schemes: tuple[Scheme, Scheme, Scheme]
) -> Case:
    return binary_case(name, "prelu", None, x, alpha, schemes=schemes, constant=1)


CASES = [case(name, *shapes, ((0.05, 3), (0.02, -7), (0.06, 11))) for name, shapes in _SHAPES.items()]
CASES += [
    case("lowest_zero_points", (1, 4, 6), (4, 6), ((0.05, -128), (0.02, -128), (0.05, -128))),
    case("highest_zero_points", (1, 4, 6), (4, 6), ((0.05, 127), (0.02, 127), (0.05, 127))),
    case("steep", (1, 4, 6), (4, 6), ((0.05, 0), (3.0, 5), (0.5, 0))),
    case("coarse_output", (1, 4, 6), (1, 6), ((0.01, 10), (0.01, 0), (1.0, 0))),
    case("fine_output", (1, 4, 6), (1, 6), ((0.5, 10), (0.01, 0), (0.01, 0))),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_prelu(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_a_computed_slope() -> None:
    """In int8 it is an operand like any other; TFLM wants int8 in int16 models."""
    computed = binary_case("computed", "prelu", None, (1, 5, 3, 7), (1, 5, 3, 7))
    for check in CHECKS[:3]:
        check(computed)
    (problem,) = node_problems(as_int16(computed).node())
    assert "alpha must be constant" in problem.rule


def test_an_output_larger_than_x_is_refused() -> None:
    grown = case("grown", (1, 1, 7), (1, 3, 7), ((0.05, 3), (0.02, -7), (0.06, 11)))
    (problem,) = node_problems(replace(grown, name="grown").node())
    assert "x's shape" in problem.rule


def test_from_keras() -> None:
    builder = GraphBuilder("model", OPERATORS)
    x = builder.input("x", (1, 4, 5, 3))
    alpha = np.full((1, 1, 3), 0.2, np.float32)
    layer = KerasLayer("layer", "PReLU", {"shared_axes": [1, 2]}, (alpha,))
    OPERATORS["prelu"].from_keras(layer, [x], builder)
    assert np.array_equal(builder.tensors["layer/alpha"].data, alpha)
    wrong = KerasLayer("layer", "PReLU", {}, (np.zeros((4, 5), np.float32),))
    with pytest.raises(LayerRefused, match="shape of a sample"):
        OPERATORS["prelu"].from_keras(wrong, [x], builder)
