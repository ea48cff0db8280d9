"""pow: in float, also of infinities, NaN, subnormal and huge numbers."""

from __future__ import annotations

import numpy as np

from tests.ops.float_binary import every_kind_of_float, float_cases

#: Of the float form (test_float_forms.py).
CASES = float_cases("pow", ((0.05, -128), (0.02, 3), (1.0, 0)))


def test_pow_of_every_kind_of_float() -> None:
    a, b, found, expected = every_kind_of_float("pow")
    small = np.abs(expected) < 1e-37  # exponentials end where subnormal numbers begin
    inside = ~small | (expected == 0)
    close = np.abs(found - expected) <= 4e-5 * np.abs(expected)
    wrong = inside & ~close & (found != expected) & ~(np.isnan(found) & np.isnan(expected))
    assert not wrong.any(), [x[wrong][:8] for x in (a, b, found, expected)]
