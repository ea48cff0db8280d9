"""neg: minus x."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import INTEGER_FORMS, TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Neg(FloatFunction):
    name = "neg"
    absent_forms = MappingProxyType(
        dict.fromkeys(INTEGER_FORMS, "TFLM has none; LiteRT negates the integers, whatever their zero_point")
    )
    float_is_exact = True
    tflite_builtins = ("NEG",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("NEG", 1, "NegOptions")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.negative(x)


OPERATOR = Neg()
