"""reduce_max: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.reductions import reduction_cases

CASES = reduction_cases("reduce_max", None)


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_reduce_max(case: Case, check) -> None:
    check(case)
