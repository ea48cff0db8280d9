"""rsqrt: all 256 inputs under many scales."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.ops.driver import CHECKS, Case, activation, c_equals_reference, check_name, reference
from tests.ops.elementwise import every_input

#: TFLM gives an error below 0.
ABOVE = np.arange(-128, 128, dtype=np.int8)


def above(name: str, x: tuple[float, int], y: tuple[float, int], shape: tuple[int, ...] = (1, 256)) -> Case:
    """All inputs above the zero point: at it the float meaning is infinite."""
    case = every_input(name, "rsqrt", None, x, y)
    data = np.resize(np.maximum(ABOVE, x[1] + 1), (1, *shape)).astype(np.int8)
    return replace(case, inputs=(activation("x", shape, *x),), data=(data,))


CASES = [
    above(f"drawn_{i}", (x, zero_point), (y, int(i * 40 - 128)))
    for i, (x, zero_point, y) in enumerate(
        [(0.05, -128, 0.02), (1.0, -100, 0.01), (0.003, 0, 0.3), (7.0, -128, 0.003), (0.1, 120, 0.04)]
    )
]
CASES += [
    above("lowest_zero_points", (0.05, -128), (0.05, -128)),
    above("highest_zero_points", (0.05, 126), (0.05, 127)),
    above("coarse_output", (0.05, -128), (2.0, 3)),
    above("fine_output", (0.05, -128), (0.0005, 3)),
    above("one_element", (0.05, -128), (0.05, -128), (1,)),
    above("five_axes", (0.05, -128), (0.05, -128), (1, 2, 3, 2, 5)),
]


def test_of_0() -> None:
    case = replace(CASES[0], data=(np.full((1, 1, 256), -128, np.int8),))
    for check in CHECKS[:3]:
        check(case)


def test_from_0_down_the_output_is_the_largest() -> None:
    case = every_input("below", "rsqrt", None, (0.05, 3), (0.05, -9))
    (x,) = case.samples_of_inputs()
    assert (reference(case)[0][x <= 3] == 127).all()
    c_equals_reference(case)


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_rsqrt(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
