"""logical_or: whether one condition or both hold; they broadcast."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.logical import Logical


class LogicalOr(Logical):
    name = "logical_or"
    tflite_builtins = ("LOGICAL_OR",)
    options_type = "LogicalOrOptions"

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.logical_or(a, b)


OPERATOR = LogicalOr()
