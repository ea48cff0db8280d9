"""tanh: the hyperbolic tangent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import (
    IntArray,
    exp_on_negative_values,
    one_minus_x_over_one_plus_x,
    rounding_divide_by_power_of_two,
)
from mcu_quant.ir import BoundNode, QuantParams, Tensor
from mcu_quant.ops.base import FIXED_INT16, QuantRule, TfliteForm, TfliteNode, fixed_output
from mcu_quant.ops.saturating import (
    INPUT_NOT_TOO_COARSE,
    INPUT_NOT_TOO_FINE,
    INTEGER_BITS,
    SaturatingOperator,
)
from mcu_quant.ops.sigmoid_table import ENTRIES, sigmoid_table

_OUTPUT = QuantParams.per_tensor(1 / 128, 0)


@dataclass(frozen=True)
class TanhAttrs:
    pass


class Tanh(SaturatingOperator):
    """Input: x."""

    name = "tanh"
    attrs_type = TanhAttrs
    tflite_builtins = ("TANH",)
    keras_layers = ("Tanh",)
    keras_activations = {"tanh": TanhAttrs()}  # noqa: RUF012 - a Mapping that nothing writes to
    quant_rule = QuantRule(output="fixed", fixed=_OUTPUT)
    constraints = (
        fixed_output(_OUTPUT, "int8"),
        fixed_output(FIXED_INT16, "int16"),
        INPUT_NOT_TOO_FINE,
        INPUT_NOT_TOO_COARSE,
    )
    exact_exponents = (-12, -11)

    def from_tflite(self, node: TfliteNode) -> tuple[TanhAttrs, tuple[Tensor | None, ...]]:
        return TanhAttrs(), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("TANH", 2)

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)

    def curve(self, a: IntArray) -> IntArray:
        # exp(-2|a|): the same bits, read with one more integer bit, are twice the number.
        decay = exp_on_negative_values(-np.abs(a), INTEGER_BITS + 1)
        value = np.sign(a) * one_minus_x_over_one_plus_x(decay)
        return rounding_divide_by_power_of_two(value, 24)

    def interpolated(self, d: IntArray) -> IntArray:
        """tanh(x) = 2 * sigmoid(2 * x) - 1: 256 steps of the argument to an entry, in Q0.24."""
        table, size = sigmoid_table(), np.abs(d)
        entry, part = np.minimum(size >> 8, ENTRIES - 2), size & 255
        inside = (table[entry] << 8) + part * (table[entry + 1] - table[entry])
        y = np.where(size >> 8 >= ENTRIES - 1, 0xFFFF << 8, inside)
        return np.where(d >= 0, y - (1 << 23) + 128, -y + (1 << 23) + 127) >> 8


OPERATOR = Tanh()
