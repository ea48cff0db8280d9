"""tanh: all 256 inputs under many scales."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcu_quant.ops.tanh import TanhAttrs
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import every_input, random_schemes

_Y = (1 / 128, 0)
CASES = [
    every_input(f"drawn_{i}", "tanh", TanhAttrs(), x, _Y)
    for i, (x, _) in enumerate(random_schemes(12, 12, 1e-4, 2.0))
]
CASES += [
    every_input("lowest_zero_point", "tanh", TanhAttrs(), (0.05, -128), _Y),
    every_input("highest_zero_point", "tanh", TanhAttrs(), (0.05, 127), _Y),
    every_input("widest_step_with_a_middle", "tanh", TanhAttrs(), (7.99, 0), _Y),
    # From scale 8 on, TFLM takes even 0 for the lower limit.
    every_input("no_middle", "tanh", TanhAttrs(), (16.0, 0), _Y, float_steps=128.0),
    every_input("tiny_scale", "tanh", TanhAttrs(), (2.0**-24, 5), _Y),
    every_input("power_of_two", "tanh", TanhAttrs(), (0.125, 0), _Y),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_tanh(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
