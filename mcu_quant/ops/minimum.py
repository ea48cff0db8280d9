"""minimum: of two operands, which broadcast, the smaller one. Raw bytes: one scale for all."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import QuantRule, TfliteForm
from mcu_quant.ops.binary import BinaryOperator
from mcu_quant.ops.broadcast import BROADCASTS
from mcu_quant.ops.raw import ONE_SCALE


class Minimum(BinaryOperator):
    name = "minimum"
    plain_form = ("int32",)
    float_is_exact = True
    tflite_builtins = ("MINIMUM",)
    keras_layers = ("Minimum",)
    quant_rule = QuantRule(output="same")
    constraints = (BROADCASTS, ONE_SCALE)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("MINIMUM", 2, "MaximumMinimumOptions")

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.minimum(a, b)

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.minimum(a, b)


OPERATOR = Minimum()
