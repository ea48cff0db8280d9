"""greater_equal: TFLM's comparison in steps of 1/256."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcu_quant.ops.support import node_problems
from tests.ops.comparison import CHECKS, comparison_cases, means_what_it_says
from tests.ops.driver import Case, check_name
from tests.ops.elementwise import binary_case

CASES = comparison_cases("greater_equal", 36)


@pytest.mark.parametrize("check", [*CHECKS, means_what_it_says], ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_greater_equal(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_scales_of_1_and_more_are_refused() -> None:
    """TFLM aborts there."""
    case = binary_case(
        "coarse", "greater_equal", None, (1, 4), (1, 4), schemes=((1.0, 0),) * 3, output_dtype="bool"
    )
    (problem,) = node_problems(case.node())
    assert "below 1" in problem.rule
