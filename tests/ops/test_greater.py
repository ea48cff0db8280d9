"""greater: TFLM's comparison in steps of 1/256."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ops.comparison import CHECKS, comparison_cases, means_what_it_says
from tests.ops.driver import Case, check_name

CASES = comparison_cases("greater", 35)


@pytest.mark.parametrize("check", [*CHECKS, means_what_it_says], ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_greater(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
