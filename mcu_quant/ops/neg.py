"""neg: minus x."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Neg(FloatFunction):
    name = "neg"
    float_is_exact = True
    tflite_builtins = ("NEG",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("NEG", 1, "NegOptions")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.negative(x)


OPERATOR = Neg()
