"""reduce_prod (LiteRT's: TFLM has none): meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.ops.reduction import ReductionAttrs
from tests.ops.driver import CHECKS, Case, check_name, unary_case
from tests.ops.reductions import reduction_cases

ROW = ReductionAttrs((1,))
#: No more than 1, so that no product overflows, of int16 neither.
LARGEST = 1.0


def _near_one(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Factors of either sign whose products do not vanish, for a scale of 0.009 and zero_point 3."""
    rng = np.random.default_rng(1)
    return ((rng.choice([-1, 1], (20, *shape)) * rng.integers(90, 110, (20, *shape)) + 3).astype(np.int8),)


CASES = [
    *reduction_cases("reduce_prod", (0.0, 0.02), largest=LARGEST, oracle="LiteRT", float_steps=4),
    unary_case("two", "reduce_prod", ROW, (1, 2, 9), x=(0.05, 3), y=(0.3, -9), oracle="LiteRT"),
    unary_case("three", "reduce_prod", ROW, (1, 3, 9), x=(0.05, 3), y=(1.5, -9), oracle="LiteRT"),
    unary_case(
        "factors_near_1",
        "reduce_prod",
        ROW,
        (1, 12, 3),
        x=(0.009, 3),
        y=(0.01, -9),
        oracle="LiteRT",
        data=_near_one((1, 12, 3)),
        float_steps=2,
    ),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_reduce_prod(case: Case, check) -> None:
    check(case)
