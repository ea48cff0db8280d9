"""logical_and: whether both conditions hold; they broadcast."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.logical import Logical


class LogicalAnd(Logical):
    name = "logical_and"
    tflite_builtins = ("LOGICAL_AND",)
    options_type = "LogicalAndOptions"

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.logical_and(a, b)


OPERATOR = LogicalAnd()
