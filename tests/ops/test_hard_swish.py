"""hard_swish: all 256 inputs under many scales."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ops.driver import CHECKS, Case, check_name, unary_case
from tests.ops.elementwise import every_input, random_schemes

DRAWN = enumerate(random_schemes(23, 8))
CASES = [every_input(f"drawn_{i}", "hard_swish", None, x, y, float_steps=2.0) for i, (x, y) in DRAWN]
CASES += [
    every_input("lowest_zero_points", "hard_swish", None, (0.05, -128), (0.05, -128), float_steps=2.0),
    every_input("highest_zero_points", "hard_swish", None, (0.05, 127), (0.05, 127), float_steps=2.0),
    every_input("equal_scales", "hard_swish", None, (0.05, 3), (0.05, 3), float_steps=2.0),
    every_input("output_saturates", "hard_swish", None, (0.5, 3), (0.02, -9), float_steps=2.0),
    unary_case("one_element", "hard_swish", None, (1,), x=(0.03, -4), float_steps=2.0),
    unary_case("five_axes", "hard_swish", None, (1, 2, 3, 2, 5), x=(0.03, -4), float_steps=2.0),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_hard_swish(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
