"""less: whether the first operand is below the second; they broadcast. Output: bool."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.comparison import Comparison


class Less(Comparison):
    name = "less"
    tflite_builtins = ("LESS",)
    options_type = "LessOptions"

    def holds(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a < b


OPERATOR = Less()
