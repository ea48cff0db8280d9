"""sign: -1, 0 or 1."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Sign(FloatFunction):
    name = "sign"
    float_is_exact = True
    tflite_builtins = ("SIGN",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("SIGN", 1, "SignOptions")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.sign(x)


OPERATOR = Sign()
