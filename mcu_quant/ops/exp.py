"""exp: e to the power of x."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Exp(FloatFunction):
    name = "exp"
    tflite_builtins = ("EXP",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("EXP", 1, "ExpOptions")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.exp(x)


OPERATOR = Exp()
