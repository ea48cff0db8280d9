"""floor_mod: in float, also of infinities, NaN, subnormal and huge numbers."""

from __future__ import annotations

import numpy as np

from tests.ops.float_binary import every_kind_of_float, float_cases

#: Of the float form (test_float_forms.py).
CASES = float_cases("floor_mod", ((0.3, 3), (0.05, 7), (1.0, 0)))


def test_floor_mod_of_every_kind_of_float() -> None:
    a, b, found, expected = every_kind_of_float("floor_mod")
    wrong = (found != expected) & ~(np.isnan(found) & np.isnan(expected))
    assert not wrong.any(), [x[wrong][:5] for x in (a, b, found, expected)]
