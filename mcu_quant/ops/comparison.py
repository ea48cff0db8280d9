"""What comparisons of two operands that broadcast share. Output: bool."""

from __future__ import annotations

from abc import abstractmethod
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from mcu_quant.fixed_point import IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, QuantRule, TfliteForm
from mcu_quant.ops.binary import BinaryOperator
from mcu_quant.ops.broadcast import BROADCASTS
from mcu_quant.ops.forms import form_of

#: Both operands are compared as real numbers with so many fractional bits (TFLM's kLeftShift).
LEFT_SHIFT = 8


class Comparison(BinaryOperator):
    """int8 operands may have different scales: they are compared in steps of 1/256. ARITHMETIC section 6."""

    absent_forms = MappingProxyType(
        {"int16": "TFLM compares no int16, and LiteRT as if all scales were equal"}
    )
    float_is_exact = True
    plain_types = MappingProxyType({None: ("bool",)})
    plain_form: ClassVar[tuple[str, ...]] = ("int32", "int64")
    quant_rule = QuantRule(output="raw")
    constraints = (
        BROADCASTS,
        Constraint(
            "the operands' scales must be below 1",
            lambda node: max(node.input(0).scale, node.input(1).scale) < 1.0,
            lambda node: f"{node.input(0).scale}, {node.input(1).scale}",
            "scale the operands down",
        ),
    )
    #: The options' type in schema.fbs.
    options_type: ClassVar[str]

    @abstractmethod
    def holds(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Of numbers of one type; bool."""

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm(self.tflite_builtins[0], 2, self.options_type)

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return self.holds(a, b)

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if form_of(node) == "plain":
            return self.meaning(node, a, b)
        return self.meaning(node, comparable(node, 0, a), comparable(node, 1, b))


def comparable(node: BoundNode, index: int, q: np.ndarray) -> IntArray:
    """Operand `index` in steps of 1/256."""
    tensor = node.input(index)
    steps = q.astype(np.int64) - tensor.zero_point
    return requantize(steps << LEFT_SHIFT, *quantize_multiplier(tensor.scale))
