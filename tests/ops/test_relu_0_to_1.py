"""relu_0_to_1: all 256 inputs under many scales."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ops.driver import CHECKS, Case, check_name, unary_case
from tests.ops.elementwise import every_input, random_schemes

DRAWN = enumerate(random_schemes(25, 8, 1e-3, 0.1))
CASES = [every_input(f"drawn_{i}", "relu_0_to_1", None, x, y, oracle="LiteRT") for i, (x, y) in DRAWN]
CASES += [
    every_input("lowest_zero_points", "relu_0_to_1", None, (0.05, -128), (0.05, -128), oracle="LiteRT"),
    every_input("highest_zero_points", "relu_0_to_1", None, (0.05, 127), (0.05, 127), oracle="LiteRT"),
    every_input("equal_scales", "relu_0_to_1", None, (0.05, 3), (0.05, 3), oracle="LiteRT"),
    every_input("output_saturates", "relu_0_to_1", None, (0.5, 3), (0.01, -9), oracle="LiteRT"),
    unary_case("one_element", "relu_0_to_1", None, (1,), x=(0.03, -4), oracle="LiteRT"),
    unary_case("five_axes", "relu_0_to_1", None, (1, 2, 3, 2, 5), x=(0.03, -4), oracle="LiteRT"),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_relu_0_to_1(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
