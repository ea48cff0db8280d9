"""logical_not: whether a condition does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import QuantRule, TfliteForm
from mcu_quant.ops.logical import NO_NUMBERS
from mcu_quant.ops.unary import UnaryOperator


class LogicalNot(UnaryOperator):
    """Input: a condition, bool."""

    name = "logical_not"
    plain_types = MappingProxyType({0: ("bool",), None: ("bool",)})
    plain_form = ("bool",)
    absent_forms = NO_NUMBERS
    tflite_builtins = ("LOGICAL_NOT",)
    quant_rule = QuantRule(output="raw")

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("LOGICAL_NOT", 1, "LogicalNotOptions")

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return np.logical_not(x)

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        raise AssertionError("a condition is not quantized")

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


OPERATOR = LogicalNot()
