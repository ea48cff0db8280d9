"""mean: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import itertools

import pytest

from mcu_quant.ops.reduction import ReductionAttrs
from tests.ops.driver import CHECKS, Case, check_name, unary_case

RESCALED = {"x": (0.05, 3), "y": (0.02, -9)}

CASES = [
    *(
        unary_case(
            f"axes_{''.join(map(str, axes))}{'_kept' if keep else ''}",
            "mean",
            ReductionAttrs(axes, keep),
            (1, 5, 4, 3),
            **RESCALED,
        )
        for count in (1, 2, 3)
        for axes in itertools.combinations((1, 2, 3), count)
        for keep in (False, True)
    ),
    unary_case("time", "mean", ReductionAttrs((1,)), (1, 9, 4), **RESCALED),
    unary_case("vector", "mean", ReductionAttrs((1,)), (1, 9), **RESCALED),
    unary_case("one_element", "mean", ReductionAttrs((1, 2)), (1, 1, 1, 1)),
    unary_case("of_one_each", "mean", ReductionAttrs((1, 2)), (1, 1, 1, 6), **RESCALED),
    unary_case("power_of_two", "mean", ReductionAttrs((1, 2)), (1, 8, 8, 3)),
    unary_case("one_channel", "mean", ReductionAttrs((1, 2)), (1, 7, 5, 1), **RESCALED),
    unary_case("many", "mean", ReductionAttrs((1, 2)), (1, 48, 50, 2), **RESCALED),
    unary_case("same_scale", "mean", ReductionAttrs((1, 2)), (1, 5, 5, 4), samples=40),
    unary_case(
        "zero_points_low", "mean", ReductionAttrs((1, 2)), (1, 5, 5, 4), x=(0.05, -128), y=(0.05, -128)
    ),
    unary_case(
        "zero_points_high", "mean", ReductionAttrs((1, 2)), (1, 5, 5, 4), x=(0.05, 127), y=(0.05, 127)
    ),
    unary_case(
        "zero_points_opposite", "mean", ReductionAttrs((1, 2)), (1, 5, 5, 4), x=(0.05, -128), y=(0.02, 127)
    ),
    # A sum shifted left wraps in int32: far from the float meaning, same bits.
    unary_case(
        "left_shift", "mean", ReductionAttrs((1, 2)), (1, 3, 3, 4), x=(1.0, 0), y=(1e-7, 0), float_steps=255
    ),
    unary_case("multiplier_0", "mean", ReductionAttrs((1, 2)), (1, 3, 3, 4), x=(0.05, 0), y=(1e9, 0)),
    unary_case("right_shift_of_31", "mean", ReductionAttrs((1, 2)), (1, 3, 3, 4), x=(0.05, 0), y=(1e8, 0)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_mean(case: Case, check) -> None:
    check(case)
