"""greater_equal: whether the first operand is at least the second; they broadcast. Output: bool."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.comparison import Comparison


class GreaterEqual(Comparison):
    name = "greater_equal"
    tflite_builtins = ("GREATER_EQUAL",)
    options_type = "GreaterEqualOptions"

    def holds(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a >= b


OPERATOR = GreaterEqual()
