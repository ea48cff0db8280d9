"""ceil: the smallest integer that is not below x."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Ceil(FloatFunction):
    name = "ceil"
    float_is_exact = True
    oracles = MappingProxyType({"float": "TFLM"})  # LiteRT's reference kernels are without it
    tflite_builtins = ("CEIL",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("CEIL")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.ceil(x)


OPERATOR = Ceil()
