"""greater: whether the first operand is above the second; they broadcast. Output: bool."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.comparison import Comparison


class Greater(Comparison):
    name = "greater"
    tflite_builtins = ("GREATER",)
    options_type = "GreaterOptions"

    def holds(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a > b


OPERATOR = Greater()
