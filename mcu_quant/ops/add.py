"""add: the sum of two operands, which broadcast. What it shares with sub is here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mcu_quant.fixed_point import IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, scale_ratio
from mcu_quant.ops.binary import NO_ACTIVATION_ON_INT32, ArithmeticAttrs, ArithmeticOperator
from mcu_quant.ops.broadcast import BROADCASTS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer

#: Both operands are brought to a common scale with so many fractional bits (TFLM's left_shift).
LEFT_SHIFTS = {"int8": 20, "int16": 15}


class SumMultipliers(NamedTuple):
    """(multiplier, shift) of each operand, and of their sum."""

    first: tuple[int, int]
    second: tuple[int, int]
    output: tuple[int, int]


def sum_multipliers(node: BoundNode) -> SumMultipliers:
    """To twice the larger scale, in fractions of it, and from there to the output's. ARITHMETIC section 6."""
    common = common_scale(node)
    first, second = (quantize_multiplier(node.input(i).scale / common) for i in (0, 1))
    return SumMultipliers(first, second, quantize_multiplier(output_ratio(node)))


def common_scale(node: BoundNode) -> float:
    return 2.0 * max(node.input(0).scale, node.input(1).scale)


def left_shift(node: BoundNode) -> int:
    return LEFT_SHIFTS[node.output.dtype]


def output_ratio(node: BoundNode) -> float:
    return scale_ratio((common_scale(node),), 2.0 ** left_shift(node) * node.output.scale)


def _output_not_too_fine(form: str) -> Constraint:
    """TFLM aborts otherwise (QuantizeMultiplierSmallerThanOneExp)."""
    return Constraint(
        f"scale(output) must be above 2 * max(scale(inputs)) / 2**{LEFT_SHIFTS[form]}",
        lambda node: output_ratio(node) < 1.0,
        lambda node: f"{node.output.scale} and {node.input(0).scale}, {node.input(1).scale}",
        "calibrate with representative data",
        (form,),
    )


SUM_CONSTRAINTS = (BROADCASTS, NO_ACTIVATION_ON_INT32, *map(_output_not_too_fine, LEFT_SHIFTS))


def scaled_operands(node: BoundNode, a: IntArray, b: IntArray) -> tuple[IntArray, IntArray]:
    """Both operands in the common scale. a, b: less their zero_points."""
    multipliers, shift = sum_multipliers(node), left_shift(node)
    return requantize(a << shift, *multipliers.first), requantize(b << shift, *multipliers.second)


def least_sum_scale(input_scales: Sequence[float], dtype: str) -> float:
    """A little above what _output_not_too_fine asks, so that a float32 scale is above it, too."""
    return 2 * max(input_scales) / 2 ** LEFT_SHIFTS[dtype] * 1.001


class Add(ArithmeticOperator):
    name = "add"
    plain_form = ("int32",)
    attrs_type = ArithmeticAttrs
    float_is_exact = True
    tflite_builtins = ("ADD",)
    keras_layers = ("Add", "Average")
    options_type = "AddOptions"
    constraints = SUM_CONSTRAINTS

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        """An average is the sum times 1 / n."""
        if layer.class_name != "Average":
            return super().from_keras(layer, inputs, builder)
        total = super().from_keras(replace(layer, name=f"{layer.name}/sum"), inputs, builder)
        share = builder.constant(f"{layer.name}/share", np.array([1 / len(inputs)], np.float32))
        return builder.add("mul", layer.name, self.default_attrs, [total, share])

    def combine(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return a + b

    def requantized(self, node: BoundNode, a: IntArray, b: IntArray) -> IntArray:
        first, second = scaled_operands(node, a, b)
        return requantize(first + second, *sum_multipliers(node).output)

    def least_output_scale(self, attrs: ArithmeticAttrs, input_scales: Sequence[float], dtype: str) -> float:
        return least_sum_scale(input_scales, dtype)


OPERATOR = Add()
