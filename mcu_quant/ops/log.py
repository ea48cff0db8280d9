"""log: the natural logarithm; of 0 it is minus infinity, of less NaN."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm, type_limits
from mcu_quant.ops.float_table import FloatTable


class Log(FloatTable):
    name = "log"
    absent_forms = MappingProxyType({"int16": "TFLM has none; LiteRT's table is not supported"})
    oracles = MappingProxyType({"int8": "LiteRT"})  # TFLM has float32 alone
    quantized_in_float = True  # so that TFLM runs it
    tflite_builtins = ("LOG",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("LOG", 1 if node.input(0).dtype == "float32" else 2)

    def function(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return np.log(x)

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        """Of 0 and of less, the smallest output."""
        lowest, _ = type_limits(node.output)
        positive = q > node.input(0).zero_point
        one = np.int64(node.input(0).zero_point + 1)
        return np.where(positive, super().values(node, np.where(positive, q, one)), lowest)


OPERATOR = Log()
