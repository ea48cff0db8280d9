"""arg_max: any axis, the first of equals; NaN."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.ops.arg_extremum import CHECKS, arg_cases, int64_cases, positions_with_nan
from tests.ops.driver import Case, check_name, reference

CASES = arg_cases("arg_max")


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, *int64_cases("arg_max")], ids=str)
def test_arg_max(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_arg_max_is_numpys(case: Case) -> None:
    (x,) = case.samples_of_inputs()
    np.testing.assert_array_equal(reference(case)[0], np.argmax(x, case.attrs.axis + 1))


def test_nan_counts_only_if_it_is_first() -> None:
    assert positions_with_nan("arg_max") == [0, 2, 0, 0, 0]
