"""square: x * x."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Square(FloatFunction):
    name = "square"
    float_is_exact = True
    tflite_builtins = ("SQUARE",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("SQUARE", 1, "SquareOptions")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x * x)


OPERATOR = Square()
