"""log: of all bytes, between converters; in float; and where it has no value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.ops.driver import Case, check_name
from tests.ops.float_functions import FUNCTION_CHECKS, POSITIVE, c_is_right_beyond_the_domain, function_cases

CASES = function_cases("log", POSITIVE, above=1)


@pytest.mark.parametrize("check", FUNCTION_CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_log(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_log_of_any_float() -> None:
    c_is_right_beyond_the_domain("log", 1e-06)
