"""greater_equal: whether the first operand is at least the second; they broadcast. Output: bool."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, QuantRule, TfliteForm
from mcu_quant.ops.binary import BinaryOperator
from mcu_quant.ops.broadcast import BROADCASTS

#: Both operands are compared as real numbers with so many fractional bits (TFLM's kLeftShift).
LEFT_SHIFT = 8


class GreaterEqual(BinaryOperator):
    """int8 operands may have different scales: they are compared in steps of 1/256."""

    name = "greater_equal"
    absent_forms = MappingProxyType({"int16": "TFLM compares no int16"})
    float_is_exact = True
    plain_types = MappingProxyType({None: ("bool",)})
    tflite_builtins = ("GREATER_EQUAL",)
    quant_rule = QuantRule(output="raw")
    constraints = (
        BROADCASTS,
        Constraint(
            "operands must be int8: TFLM compares no int16",
            lambda node: False,
            lambda node: f"{node.input(0).dtype}, {node.input(1).dtype}",
            "a ReLU without a threshold, or an int8 model",
            ("int16",),
        ),
        Constraint(
            "the operands' scales must be below 1",
            lambda node: max(node.input(0).scale, node.input(1).scale) < 1.0,
            lambda node: f"{node.input(0).scale}, {node.input(1).scale}",
            "scale the operands down",
        ),
    )

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("GREATER_EQUAL", 2, "GreaterEqualOptions")

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a >= b

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return comparable(node, 0, a) >= comparable(node, 1, b)


def comparable(node: BoundNode, index: int, q: np.ndarray) -> IntArray:
    """Operand `index` in steps of 1/256."""
    tensor = node.input(index)
    steps = q.astype(np.int64) - tensor.zero_point
    return requantize(steps << LEFT_SHIFT, *quantize_multiplier(tensor.scale))


OPERATOR = GreaterEqual()
