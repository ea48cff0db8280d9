"""What logistic and tanh share: inputs as Q4.27 numbers, beyond a radius the output's limit."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.unary import UnaryOperator

#: The function's argument is Q4.27: TFLM's kInputIntegerBits.
INTEGER_BITS = 4


class SaturatingOperator(UnaryOperator):
    """A function that has reached its limits, in int8, where |x| is 15 or more."""

    @abstractmethod
    def curve(self, a: IntArray) -> IntArray:
        """The output less its zero_point, for arguments a in Q4.27."""

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (attrs,) = set(self.keras_activations.values())
        return builder.add(self.name, layer.name, attrs, list(inputs))

    def least_input_scale(self, attrs: object) -> float:
        """Some steps above INPUT_NOT_TOO_FINE: the multiplier to Q4.27 must exceed 1."""
        return 2.0**-24

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
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
)


def fixed_output(scale: float, zero_point: int) -> Constraint:
    name = f"1/{round(1 / scale)}"
    return Constraint(
        f"the output must have scale {name} and zero_point {zero_point}",
        lambda node: node.output.scale == scale and node.output.zero_point == zero_point,
        lambda node: node.output.quant,
        "quantize the model with a LiteRT-8-bit-specification quantizer, as mcu-quant quantize does",
    )
