"""maximum: of two operands, which broadcast, the larger one. Raw bytes: one scale for all."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import QuantRule, TfliteForm
from mcu_quant.ops.binary import BinaryOperator
from mcu_quant.ops.broadcast import BROADCASTS
from mcu_quant.ops.raw import ONE_SCALE


class Maximum(BinaryOperator):
    name = "maximum"
    plain_form = ("int32",)
    float_is_exact = True
    tflite_builtins = ("MAXIMUM",)
    keras_layers = ("Maximum",)
    quant_rule = QuantRule(output="same")
    constraints = (BROADCASTS, ONE_SCALE)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("MAXIMUM", 2, "MaximumMinimumOptions")

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.maximum(a, b)

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.maximum(a, b)


OPERATOR = Maximum()
