"""sin: the sine of an angle in radians."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Sin(FloatFunction):
    name = "sin"
    tflite_builtins = ("SIN",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("SIN")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.sin(x)


OPERATOR = Sin()
