"""exp: of all bytes, in int8 and between converters; in float; and where it has no value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.float_functions import (
    ANYTHING,
    c_is_right_beyond_the_domain,
    function_cases,
    table_is_the_oracles,
)

CASES = function_cases("exp", ANYTHING, oracle="LiteRT")


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_exp(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_exp_between_converters(case: Case) -> None:
    table_is_the_oracles(replace(case, oracle="TFLM"))


def test_exp_of_any_float() -> None:
    c_is_right_beyond_the_domain("exp", 1e-06)
