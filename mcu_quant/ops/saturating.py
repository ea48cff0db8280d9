"""What logistic and tanh share.

int8: inputs as Q4.27 numbers, beyond a radius the output's limit. int16: a table that both interpolate in.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.sigmoid_table import input_scaling
from mcu_quant.ops.unary import UnaryOperator

#: The function's argument is Q4.27: TFLM's kInputIntegerBits.
INTEGER_BITS = 4


class SaturatingOperator(UnaryOperator):
    """A function that has reached its limits, in int8, where |x| is 15 or more."""

    #: int16: the exponents of input scales that are powers of two to TFLM.
    exact_exponents: ClassVar[tuple[int, ...]]

    @abstractmethod
    def curve(self, a: IntArray) -> IntArray:
        """int8: the output less its zero_point, for arguments a in Q4.27."""

    @abstractmethod
    def interpolated(self, d: IntArray) -> IntArray:
        """int16: the output for arguments d in steps of 1 / 12288."""

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (attrs,) = set(self.keras_activations.values())
        return builder.add(self.name, layer.name, attrs, list(inputs))

    def least_input_scale(self, attrs: object, dtype: str) -> float:
        """Some steps above INPUT_NOT_TOO_FINE: the multiplier to Q4.27 must exceed 1."""
        return 2.0**-24 if dtype == "int8" else 0.0

    def scaling(self, node: BoundNode) -> tuple[int, int]:
        """int16: (multiplier, shift) from inputs to steps of 1 / 12288."""
        return input_scaling(node.input(0).scale, self.exact_exponents)

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        if node.input(0).dtype == "int16":
            multiplier, shift = self.scaling(node)
            return self.interpolated((q * multiplier + ((1 << shift) >> 1)) >> shift)
        multiplier, shift = input_multiplier(node)
        radius = input_radius(shift)
        x = q - node.input(0).zero_point
        inside = np.abs(x) < radius
        a = requantize(np.where(inside, x, 0), multiplier, shift)
        y = self.curve(a) + node.output.zero_point
        return np.where(inside, y, np.where(x <= -radius, INT8_MIN, INT8_MAX))


def input_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from the input's scale to Q4.27."""
    return quantize_multiplier(node.input(0).scale * 2.0 ** (31 - INTEGER_BITS))


def input_radius(shift: int) -> int:
    """How far from zero_point the argument still fits Q4.27 (TFLM's CalculateInputRadius)."""
    largest = (2**INTEGER_BITS - 1) * 2.0 ** (31 - INTEGER_BITS)
    return math.floor(largest / 2.0**shift)


#: Below, TFLM's radius overflows its int.
INPUT_NOT_TOO_FINE = Constraint(
    "scale(input) must be at least 2**-28",
    lambda node: input_multiplier(node)[1] >= 0,
    lambda node: node.input(0).scale,
    "calibrate with representative data",
    ("int8",),
)

#: Beyond, TFLM's product with the multiplier overflows its int32.
INPUT_NOT_TOO_COARSE = Constraint(
    "scale(input) must be below 5",
    lambda node: node.input(0).scale < 5.0,
    lambda node: node.input(0).scale,
    "calibrate with representative data",
    ("int16",),
)
