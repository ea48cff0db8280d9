"""reduce_any: bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from tests.ops.driver import Case, c_equals_reference, check_name, equals_oracle
from tests.ops.reductions import condition_cases

CASES = condition_cases("reduce_any", oracle="LiteRT")


@pytest.mark.parametrize("check", [equals_oracle, c_equals_reference], ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_reduce_any(case: Case, check) -> None:
    check(case)
