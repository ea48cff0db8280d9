"""less_equal: whether the first operand is at most the second; they broadcast. Output: bool."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.comparison import Comparison


class LessEqual(Comparison):
    name = "less_equal"
    tflite_builtins = ("LESS_EQUAL",)
    options_type = "LessEqualOptions"

    def holds(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a <= b


OPERATOR = LessEqual()
