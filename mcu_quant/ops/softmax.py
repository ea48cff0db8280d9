"""softmax: exp(beta * x) over its sum, along the last axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import (
    INT8_MAX,
    INT8_MIN,
    INT32_MAX,
    IntArray,
    exp_on_negative_values,
    high_mul,
    one_over_one_plus_x,
    quantize_multiplier,
    rounding_divide_by_power_of_two,
)
from mcu_quant.ir import BoundNode, QuantParams, Tensor
from mcu_quant.ops import softmax_int16
from mcu_quant.ops.base import (
    FIXED_INT16,
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    fixed_output,
)
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.keras_axes import axes_of_samples, on_last_axis

_OUTPUT = QuantParams.per_tensor(1 / 256, -128)
#: Differences of logits are Q5.26, exponentials Q0.31, their sum Q12.19.
_DIFFERENCE_INTEGER_BITS, _SUM_INTEGER_BITS = 5, 12


@dataclass(frozen=True)
class SoftmaxAttrs:
    beta: float = 1.0


class Softmax(Operator):
    """Input: x [..., C]."""

    name = "softmax"
    attrs_type = SoftmaxAttrs
    tflite_builtins = ("SOFTMAX",)
    keras_layers = ("Softmax",)
    keras_activations = {"softmax": SoftmaxAttrs()}  # noqa: RUF012 - a Mapping that nothing writes to
    quant_rule = QuantRule(output="fixed", fixed=_OUTPUT)
    constraints = (
        fixed_output(_OUTPUT, "int8"),
        fixed_output(FIXED_INT16, "int16"),
        Constraint(
            "beta * scale(input) must be above 2**-26",
            lambda node: difference_multiplier(node)[1] > 0,
            lambda node: node.attrs.beta * node.input(0).scale,
            "calibrate with representative data",
            ("int8",),
        ),
        Constraint(
            "beta * scale(input) must be above 0 and below 5",
            lambda node: 0.0 < softmax_int16.difference_ratio(node) < 2.0**15,
            lambda node: node.attrs.beta * node.input(0).scale,
            "calibrate with representative data",
            ("int16",),
        ),
        Constraint(
            f"rows must have at most {softmax_int16.MOST_ELEMENTS} elements",
            lambda node: node.input(0).shape[-1] <= softmax_int16.MOST_ELEMENTS,
            lambda node: node.input(0).shape[-1],
            forms=("int16",),
        ),
    )

    def output_shapes(self, attrs: SoftmaxAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (input_shapes[0],)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        axes = axes_of_samples(layer.config.get("axis", -1), len(builder.shape(x)))

        def body(x: str) -> str:
            return builder.add(self.name, layer.name, SoftmaxAttrs(), [x])

        return on_last_axis(layer.name, x, builder, axes, body)

    def from_tflite(self, node: TfliteNode) -> tuple[SoftmaxAttrs, tuple[Tensor | None, ...]]:
        return SoftmaxAttrs(beta=float(node.option("Beta", 1.0))), node.inputs

    def least_input_scale(self, attrs: SoftmaxAttrs, dtype: str) -> float:
        """The multiplier to Q5.26 must exceed 1 in int8."""
        if dtype != "int8":
            return 0.0
        return 2.0**-25 / min(abs(attrs.beta) or 1.0, 1.0)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("SOFTMAX", 2, "SoftmaxOptions", {"Beta": node.attrs.beta})

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        exponentials = np.exp((x - x.max(axis=-1, keepdims=True)) * np.float32(node.attrs.beta))
        return (exponentials / exponentials.sum(axis=-1, keepdims=True),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        if x.dtype == np.int16:
            return (softmax_int16.run_int16(node, x),)
        wide = x.astype(np.int64)
        exponentials = exponential_table(node)[wide.max(axis=-1, keepdims=True) - wide]
        terms = rounding_divide_by_power_of_two(exponentials, _SUM_INTEGER_BITS)
        reciprocal, headroom = reciprocal_of_sum(terms.sum(axis=-1, keepdims=True))
        y = rounding_divide_by_power_of_two(high_mul(reciprocal, exponentials), 35 - headroom)
        return (np.clip(y - 128, INT8_MIN, INT8_MAX).astype(np.int8),)


def difference_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from differences of int8 logits to Q5.26."""
    scale = float(np.float32(node.attrs.beta)) * node.input(0).scale
    return quantize_multiplier(min(scale * 2.0 ** (31 - _DIFFERENCE_INTEGER_BITS), float(INT32_MAX)))


def smallest_difference(shift: int) -> int:
    """The difference (<= 0) below which an exponential counts as 0: where Q5.26 would overflow."""
    largest = (2**_DIFFERENCE_INTEGER_BITS - 1) * 2.0 ** (31 - _DIFFERENCE_INTEGER_BITS)
    return -int(largest / 2.0**shift)


def exponential_table(node: BoundNode) -> IntArray:
    """exp of minus each difference 0..255 of a row's logits to their maximum, Q0.31, int64 [256]."""
    multiplier, shift = difference_multiplier(node)
    differences = -np.arange(256, dtype=np.int64)
    used = differences >= smallest_difference(shift)
    scaled = high_mul(np.where(used, differences, 0) << shift, multiplier)
    return np.where(used, exp_on_negative_values(scaled, _DIFFERENCE_INTEGER_BITS), 0)


def reciprocal_of_sum(total: IntArray) -> tuple[IntArray, IntArray]:
    """(1 / total normalized to Q0.31 in [1/2, 1], headroom in bits). total: Q12.19, at least 1.

    Sums of 512 and more (2**28), where TFLM aborts, leave every output 0 (-128): the exact quotient
    is at most half a step of 1/256 there. A saturated total says the same.
    """
    total = np.minimum(total, INT32_MAX)
    headroom = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    return one_over_one_plus_x((total << headroom) - 2**31), headroom


OPERATOR = Softmax()
