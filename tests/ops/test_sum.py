"""sum: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from mcu_quant.ops.reduction import ReductionAttrs
from tests.ops.driver import CHECKS, Case, check_name, unary_case
from tests.ops.reductions import reduction_cases

IMAGE = ReductionAttrs((1, 2))
CASES = [
    *reduction_cases("sum", (0.05, 0.3)),
    unary_case("many", "sum", IMAGE, (1, 48, 50, 2), x=(0.05, 3), y=(9.0, -9)),
    unary_case("saturated", "sum", IMAGE, (1, 5, 5, 4), x=(0.05, 3), y=(0.02, -9)),
    # A sum shifted left wraps in int32: far from the float meaning, same bits.
    unary_case("left_shift", "sum", IMAGE, (1, 3, 3, 4), x=(1.0, 0), y=(1e-7, 0), float_steps=255),
    unary_case("multiplier_0", "sum", IMAGE, (1, 3, 3, 4), x=(0.05, 0), y=(1e9, 0)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_sum(case: Case, check) -> None:
    check(case)
