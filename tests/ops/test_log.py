"""log: of all bytes, in int8 and between converters; in float; and where it has no value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.ops.driver import CHECKS, Case, c_equals_reference, check_name, equals_oracle
from tests.ops.elementwise import every_input
from tests.ops.float_functions import (
    POSITIVE,
    c_is_right_beyond_the_domain,
    function_cases,
    table_is_the_oracles,
)

CASES = function_cases("log", POSITIVE, above=1, oracle="LiteRT")


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_log(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_log_between_converters(case: Case) -> None:
    table_is_the_oracles(replace(case, oracle="TFLM"))


def test_log_of_any_float() -> None:
    c_is_right_beyond_the_domain("log", 1e-06)


@pytest.mark.parametrize("zero_point", [-128, 3, 127])
def test_from_0_down_the_output_is_the_smallest(zero_point: int) -> None:
    case = every_input("below", "log", None, (0.05, zero_point), (0.05, -9), oracle="LiteRT")
    equals_oracle(case)
    c_equals_reference(case)


def test_c_is_the_reference_where_the_inverse_of_the_output_scale_is_infinite() -> None:
    """LiteRT casts NaN to an integer there, which C++ leaves undefined."""
    c_equals_reference(every_input("subnormal", "log", None, (1.0, -128), (1e-40, 0)))
