"""sub: the difference of two operands, which broadcast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.add import SUM_CONSTRAINTS, least_sum_scale, scaled_operands, sum_multipliers
from mcu_quant.ops.binary import ArithmeticAttrs, ArithmeticOperator


class Sub(ArithmeticOperator):
    name = "sub"
    plain_form = ("int32",)
    attrs_type = ArithmeticAttrs
    float_is_exact = True
    tflite_builtins = ("SUB",)
    keras_layers = ("Subtract",)
    options_type = "SubOptions"
    constraints = SUM_CONSTRAINTS

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a - b

    def requantized(self, node: BoundNode, a: IntArray, b: IntArray) -> IntArray:
        first, second = scaled_operands(node, a, b)
        return requantize(first - second, *sum_multipliers(node).output)

    def least_output_scale(self, attrs: ArithmeticAttrs, input_scales: Sequence[float], dtype: str) -> float:
        return least_sum_scale(input_scales, dtype)


OPERATOR = Sub()
