"""elu: all 256 inputs under many scales."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ops.driver import CHECKS, Case, check_name, unary_case
from tests.ops.elementwise import every_input, random_schemes

CASES = [every_input(f"drawn_{i}", "elu", None, x, y) for i, (x, y) in enumerate(random_schemes(22, 8))]
CASES += [
    every_input("lowest_zero_points", "elu", None, (0.05, -128), (0.05, -128)),
    every_input("highest_zero_points", "elu", None, (0.05, 127), (0.05, 127)),
    every_input("equal_scales", "elu", None, (0.05, 3), (0.05, 3)),
    every_input("output_saturates", "elu", None, (0.5, 3), (0.01, -9)),
    unary_case("one_element", "elu", None, (1,), x=(0.03, -4)),
    unary_case("five_axes", "elu", None, (1, 2, 3, 2, 5), x=(0.03, -4)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_elu(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("check", CHECKS[1:], ids=check_name)
def test_elu_near_zero(check: Callable[[Case], None]) -> None:
    """1 taken from a rounded exponential: steps away from the meaning, as TFLM is."""
    check(every_input("near_zero", "elu", None, (4.13249e-08, -19), (2.06625e-08, 127)))
