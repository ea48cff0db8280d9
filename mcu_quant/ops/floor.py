"""floor: the largest integer that is not above x."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Floor(FloatFunction):
    name = "floor"
    float_is_exact = True
    tflite_builtins = ("FLOOR",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("FLOOR")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.floor(x)


OPERATOR = Floor()
