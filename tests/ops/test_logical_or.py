"""logical_or: every pair of conditions; broadcasting is in test_plain.py."""

from __future__ import annotations

import numpy as np

from tests.ops.driver import c_equals_reference, equals_oracle, reference
from tests.ops.plain import truth_table


def test_logical_or_of_every_condition() -> None:
    case = truth_table("logical_or")
    equals_oracle(case)
    c_equals_reference(case)
    assert case.data is not None
    np.testing.assert_array_equal(reference(case)[0], np.logical_or(*case.data))
