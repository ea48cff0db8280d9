"""sub: broadcasting, scales far apart, fused activations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcu_quant.ops.base import ACTIVATIONS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import Scheme, binary_case, random_triples, shape_cases


def _vectors(name: str, schemes: tuple[Scheme, Scheme, Scheme]) -> Case:
    return binary_case(name, "sub", ArithmeticAttrs(), (1, 120), (1, 120), schemes=schemes)


CASES = shape_cases("sub", ArithmeticAttrs(), schemes=((0.05, 3), (0.02, -7), (0.06, 11)))
CASES += [_vectors(f"drawn_{i}", schemes) for i, schemes in enumerate(random_triples(22, 16, product=False))]
CASES += [
    binary_case(f"activation_{name}", "sub", ArithmeticAttrs(name), (1, 9, 5), (1, 9, 5), schemes=schemes)
    for name in ACTIVATIONS[1:]
    for schemes in [((0.05, 3), (0.04, -7), (0.03, -20))]
]
CASES += [
    _vectors(f"zero_points_{a}_{b}_{y}", schemes)
    for a, b, y in ((-128, -128, 127), (127, 127, -128), (-128, 127, 0))
    for schemes in [((0.05, a), (0.05, b), (0.1, y))]
]
CASES += [
    _vectors("far_scales", ((1e-6, 3), (2.0, -7), (2.0, 1))),
    _vectors("coarse_output", ((0.01, 3), (0.01, -7), (9.0, 1))),
    # The shared scale has 20 fractional bits: an output step is 10 of them, and both operands are rounded.
    _vectors("finest_output", ((1.0, 3), (1.0, -7), (2e-5, 1))),
]


def test_sub_refuses_an_output_scale_for_which_tflm_aborts() -> None:
    schemes = ((1.0, 0), (0.5, 0), (2.0**-19, 0))
    case = _vectors("too_fine", schemes)
    (problem,) = node_problems(case.node())
    assert "2**20" in problem.rule


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sub(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
