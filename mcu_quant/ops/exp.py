"""exp: e to the power of x."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_table import FloatTable


class Exp(FloatTable):
    name = "exp"
    absent_forms = MappingProxyType({"int16": "TFLM has none; LiteRT's table is not supported"})
    oracles = MappingProxyType({"int8": "LiteRT"})  # TFLM has float32 alone
    quantized_in_float = True  # so that TFLM runs it
    tflite_builtins = ("EXP",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("EXP", 1 if node.input(0).dtype == "float32" else 2, "ExpOptions")

    def function(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return np.exp(x)


OPERATOR = Exp()
