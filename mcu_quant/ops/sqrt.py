"""sqrt: the square root; of less than 0 it is NaN."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import INTEGER_FORMS, TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Sqrt(FloatFunction):
    name = "sqrt"
    absent_forms = MappingProxyType(dict.fromkeys(INTEGER_FORMS, "TFLM has none; LiteRT's is not supported"))
    tflite_builtins = ("SQRT",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("SQRT")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.sqrt(x)


OPERATOR = Sqrt()
