"""round: to the nearest integer, halves to the even one."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Round(FloatFunction):
    name = "round"
    float_is_exact = True
    oracles = MappingProxyType({"float": "TFLM"})  # LiteRT's reference kernels are without it
    tflite_builtins = ("ROUND",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("ROUND")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.rint(x)


OPERATOR = Round()
