"""pow: the first operand to the power of the second; they broadcast."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm
from mcu_quant.ops.float_binary import FloatBinary


class Pow(FloatBinary):
    """NaN for a negative number to the power of a fraction; 1 to the power of 0."""

    name = "pow"
    absent_forms = MappingProxyType(dict.fromkeys(("int8", "int16"), "TFLM and LiteRT have none"))
    oracles = MappingProxyType({})
    tflite_builtins = ("POW",)
    options_type = "PowOptions"

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("POW", 1, "PowOptions")

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.power(a.astype(np.float64), b.astype(np.float64)).astype(np.float32)


OPERATOR = Pow()
