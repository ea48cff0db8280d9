"""not_equal: whether the operands differ; they broadcast. Output: bool."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.comparison import Comparison
from mcu_quant.ops.forms import PLAIN_TYPES


class NotEqual(Comparison):
    name = "not_equal"
    plain_form = PLAIN_TYPES
    tflite_builtins = ("NOT_EQUAL",)
    options_type = "NotEqualOptions"

    def holds(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a != b


OPERATOR = NotEqual()
