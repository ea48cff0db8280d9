"""logistic: 1 / (1 + exp(-x)), Keras's sigmoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import (
    INT32_MAX,
    IntArray,
    exp_on_negative_values,
    one_over_one_plus_x,
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

_OUTPUT = QuantParams.per_tensor(1 / 256, -128)


@dataclass(frozen=True)
class LogisticAttrs:
    pass


class Logistic(SaturatingOperator):
    """Input: x."""

    name = "logistic"
    attrs_type = LogisticAttrs
    tflite_builtins = ("LOGISTIC",)
    keras_layers = ("Sigmoid",)
    keras_activations = {"sigmoid": LogisticAttrs()}  # noqa: RUF012 - a Mapping that nothing writes to
    quant_rule = QuantRule(output="fixed", fixed=_OUTPUT)
    constraints = (
        fixed_output(_OUTPUT, "int8"),
        fixed_output(FIXED_INT16, "int16"),
        INPUT_NOT_TOO_FINE,
        INPUT_NOT_TOO_COARSE,
    )
    exact_exponents = (-12,)

    def from_tflite(self, node: TfliteNode) -> tuple[LogisticAttrs, tuple[Tensor | None, ...]]:
        return LogisticAttrs(), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("LOGISTIC", 2)

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        decay = np.exp(-np.abs(x))
        return np.where(x >= 0, 1 / (1 + decay), decay / (1 + decay))

    def curve(self, a: IntArray) -> IntArray:
        half = one_over_one_plus_x(exp_on_negative_values(-np.abs(a), INTEGER_BITS))
        value = np.where(a == 0, 1 << 30, np.where(a < 0, INT32_MAX - half, half))
        return rounding_divide_by_power_of_two(value, 23)

    def interpolated(self, d: IntArray) -> IntArray:
        """512 steps of the argument to an entry, in Q0.25 (sigmoid's Q0.16 times 512)."""
        table, size = sigmoid_table(), np.abs(d)
        entry, part = np.minimum(size >> 9, ENTRIES - 2), size & 511
        inside = (table[entry] << 9) + part * (table[entry + 1] - table[entry])
        y = np.where(size >> 9 >= ENTRIES - 1, 0x7FFF << 10, inside)
        return np.where(d >= 0, y + 512, (1 << 25) - y + 511) >> 10


OPERATOR = Logistic()
