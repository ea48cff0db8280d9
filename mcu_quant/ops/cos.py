"""cos: the cosine of an angle in radians."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Cos(FloatFunction):
    name = "cos"
    tflite_builtins = ("COS",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("COS", 1, "CosOptions")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.cos(x)


OPERATOR = Cos()
