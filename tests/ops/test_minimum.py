"""minimum: raw bytes, every way of broadcasting."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import binary_case, shape_cases

_SAME = ((0.05, -9),) * 3
CASES = shape_cases("minimum", None, schemes=_SAME)
CASES += [
    binary_case(f"zero_point_{z}", "minimum", None, (1, 60), (1, 60), schemes=((0.05, z),) * 3)
    for z in (-128, 127)
]


def test_minimum_refuses_different_scales() -> None:
    case = binary_case("two_scales", "minimum", None, (1, 4), (1, 4), schemes=((0.5, 0), (0.25, 0), (0.5, 0)))
    (problem,) = node_problems(case.node())
    assert "same scale" in problem.rule


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_minimum(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
