"""gelu, both ways: all 256 inputs under many scales."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcu_quant.ops.gelu import GeluAttrs
from tests.ops.driver import CHECKS, Case, check_name, unary_case
from tests.ops.elementwise import every_input, random_schemes

CASES = [
    every_input(f"drawn_{i}", "gelu", GeluAttrs(i % 2 == 1), x, y, oracle="LiteRT")
    for i, (x, y) in enumerate(random_schemes(26, 10))
]
CASES += [
    every_input("lowest_zero_points", "gelu", GeluAttrs(), (0.05, -128), (0.05, -128), oracle="LiteRT"),
    every_input("highest_zero_points", "gelu", GeluAttrs(), (0.02, 127), (0.02, 127), oracle="LiteRT"),
    every_input("output_saturates", "gelu", GeluAttrs(), (0.5, 3), (0.01, -9), oracle="LiteRT"),
    unary_case("one_element", "gelu", GeluAttrs(), (1,), x=(0.01, -4), oracle="LiteRT"),
    unary_case("five_axes", "gelu", GeluAttrs(True), (1, 2, 3, 2, 5), x=(0.01, -4), oracle="LiteRT"),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_gelu(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
