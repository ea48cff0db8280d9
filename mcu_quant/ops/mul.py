"""mul: the product of two operands, which broadcast."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, product_ratio
from mcu_quant.ops.binary import NO_ACTIVATION_ON_INT32, ArithmeticAttrs, ArithmeticOperator
from mcu_quant.ops.broadcast import BROADCASTS


def product_multiplier(node: BoundNode) -> tuple[int, int]:
    return quantize_multiplier(product_ratio(node))


class Mul(ArithmeticOperator):
    name = "mul"
    plain_form = ("int32",)
    attrs_type = ArithmeticAttrs
    float_is_exact = True
    tflite_builtins = ("MUL",)
    keras_layers = ("Multiply",)
    options_type = "MulOptions"
    constraints = (
        BROADCASTS,
        NO_ACTIVATION_ON_INT32,
        Constraint(
            "scale(first) * scale(second) / scale(output) must be below 2**15",
            lambda node: 255 * 255 * 2 ** max(product_multiplier(node)[1], 0) <= INT32_MAX,
            product_ratio,
            "calibrate with representative data",
            ("int8",),
        ),
        Constraint(
            "scale(first) * scale(second) / scale(output) must be below 1",
            lambda node: product_ratio(node) < 1.0,
            product_ratio,
            "calibrate with representative data",
            ("int16",),
        ),
    )

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a * b

    def requantized(self, node: BoundNode, a: IntArray, b: IntArray) -> IntArray:
        return requantize(a * b, *product_multiplier(node))

    def least_output_scale(self, attrs: ArithmeticAttrs, input_scales: Sequence[float], dtype: str) -> float:
        """The product of two inputs is shifted left by less than 2**13 (int8: below 2**17), or not at all."""
        return math.prod(input_scales) * (2.0**-12 if dtype == "int8" else 1.001)


OPERATOR = Mul()
