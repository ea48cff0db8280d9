"""log_softmax: the logarithm of softmax, along the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import (
    INT8_MIN,
    INT32_MAX,
    INT32_MIN,
    exp_on_negative_values,
    log_of_at_least_one,
    quantize_multiplier,
    requantize,
    rounding_divide_by_power_of_two,
    wrap_int32,
)
from mcu_quant.ir import BoundNode, QuantParams, Tensor
from mcu_quant.ops.base import (
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    fixed_output,
    to_output,
)
from mcu_quant.ops.softmax import smallest_difference

_OUTPUT = QuantParams.per_tensor(16 / 256, 127)
#: Differences of logits and logarithms are Q5.26, sums of exponentials Q12.19, the output Q4.4.
_DIFFERENCE_BITS, _SUM_BITS, OUTPUT_SHIFT = 26, 12, 22
MOST_ELEMENTS = 2**_SUM_BITS - 1


@dataclass(frozen=True)
class LogSoftmaxAttrs:
    """Nothing."""


class LogSoftmax(Operator):
    """Input: x [..., C]."""

    name = "log_softmax"
    attrs_type = LogSoftmaxAttrs
    tflite_builtins = ("LOG_SOFTMAX",)
    keras_activations = {"log_softmax": LogSoftmaxAttrs()}  # noqa: RUF012 - a Mapping that nothing writes to
    absent_forms = MappingProxyType({"int16": "TFLM and LiteRT have none"})
    quant_rule = QuantRule(output="fixed", fixed=_OUTPUT)
    constraints = (
        fixed_output(_OUTPUT, "int8"),
        Constraint(
            "scale(input) must be above 2**-26",
            lambda node: node.input(0).scale > 2.0**-_DIFFERENCE_BITS,
            lambda node: node.input(0).scale,
            "calibrate with representative data",
        ),
        Constraint(
            f"rows must have at most {MOST_ELEMENTS} elements",
            lambda node: node.input(0).shape[-1] <= MOST_ELEMENTS,
            lambda node: node.input(0).shape[-1],
        ),
    )

    def output_shapes(self, attrs: LogSoftmaxAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (input_shapes[0],)

    def from_tflite(self, node: TfliteNode) -> tuple[LogSoftmaxAttrs, tuple[Tensor | None, ...]]:
        return LogSoftmaxAttrs(), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("LOG_SOFTMAX", 2, "LogSoftmaxOptions")

    def least_input_scale(self, attrs: LogSoftmaxAttrs, dtype: str) -> float:
        return 2.0**-25

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        differences = x - x.max(axis=-1, keepdims=True)
        total = np.exp(differences).sum(axis=-1, keepdims=True, dtype=np.float32)
        return (differences - np.log(total),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """ARITHMETIC section 22."""
        (x,) = inputs
        assert x is not None
        wide = x.astype(np.int64)
        differences = wide - wide.max(axis=-1, keepdims=True)
        multiplier, shift = difference_multiplier(node)
        least = smallest_difference(shift)
        scaled = requantize(np.maximum(differences, least), multiplier, shift)
        exponentials = np.where(differences >= least, exp_on_negative_values(scaled, 5), 0)
        terms = rounding_divide_by_power_of_two(exponentials, _SUM_BITS)
        logarithm = log_of_at_least_one(terms.sum(axis=-1, keepdims=True))
        below = requantize(logarithm + INT32_MIN, *inverse_multiplier(node))
        y = rounding_divide_by_power_of_two(wrap_int32(scaled - logarithm), OUTPUT_SHIFT)
        y = np.where(differences > np.maximum(least - 1, below), y + node.output.zero_point, INT8_MIN)
        return (to_output(y, node.output),)


def difference_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from differences of int8 logits to Q5.26."""
    return quantize_multiplier(min(node.input(0).scale * 2.0**_DIFFERENCE_BITS, float(INT32_MAX)))


def inverse_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from Q5.26 to differences."""
    multiplier, shift = difference_multiplier(node)
    return quantize_multiplier(2.0 ** (31 - shift) / multiplier)


OPERATOR = LogSoftmax()
