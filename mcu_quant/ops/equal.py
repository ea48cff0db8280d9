"""equal: whether the operands are equal; they broadcast. Output: bool."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.comparison import Comparison
from mcu_quant.ops.forms import PLAIN_TYPES


class Equal(Comparison):
    name = "equal"
    plain_form = PLAIN_TYPES
    tflite_builtins = ("EQUAL",)
    options_type = "EqualOptions"

    def holds(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a == b


OPERATOR = Equal()
