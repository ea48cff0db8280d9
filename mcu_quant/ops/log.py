"""log: the natural logarithm; of 0 it is minus infinity, of less NaN."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_function import FloatFunction


class Log(FloatFunction):
    name = "log"
    tflite_builtins = ("LOG",)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("LOG")

    def function(self, x: np.ndarray) -> np.ndarray:
        return np.log(x)


OPERATOR = Log()
