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
from mcu_quant.ops.base import QuantRule, TfliteForm, TfliteNode
from mcu_quant.ops.saturating import INPUT_NOT_TOO_FINE, INTEGER_BITS, SaturatingOperator, fixed_output


@dataclass(frozen=True)
class TanhAttrs:
    pass


class Tanh(SaturatingOperator):
    """Input: x."""

    name = "tanh"
    tflite_builtins = ("TANH",)
    keras_layers = ("Tanh",)
    keras_activations = {"tanh": TanhAttrs()}  # noqa: RUF012 - a Mapping that nothing writes to
    quant_rule = QuantRule(output="fixed", fixed=QuantParams.per_tensor(1 / 128, 0))
    constraints = (fixed_output(1 / 128, 0), INPUT_NOT_TOO_FINE)

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


OPERATOR = Tanh()
