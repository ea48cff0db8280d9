"""rsqrt: 1 / sqrt(x)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import IntArray, inverse_sqrt, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, TfliteForm, type_limits
from mcu_quant.ops.unary import UnaryOperator

#: Of the integer 1 / sqrt(q), before the scales' share: TFLM's kShift.
FRACTION_BITS = 20


def root_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from 1 / sqrt(q - zero_point) to the output, FRACTION_BITS aside."""
    multiplier, shift = quantize_multiplier(1.0 / (math.sqrt(node.input(0).scale) * node.output.scale))
    return multiplier, shift - FRACTION_BITS


class Rsqrt(UnaryOperator):
    """Input: x. From 0 down the output is the largest that there is; TFLM gives an error below 0."""

    name = "rsqrt"
    tflite_builtins = ("RSQRT",)
    constraints = (
        Constraint(
            "1 / (sqrt(scale(input)) * scale(output)) must be above 2**-12 and below 2**30",
            lambda node: -31 <= root_multiplier(node)[1] <= 30 - FRACTION_BITS,
            lambda node: f"{node.input(0).scale} and {node.output.scale}",
            "calibrate with representative data",
        ),
    )

    def least_output_scale(self, attrs: None, input_scales: Sequence[float], dtype: str) -> float:
        return 1.0 / (math.sqrt(input_scales[0]) * 2.0**29)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("RSQRT", 1)

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.asarray((1.0 / np.sqrt(x.astype(np.float64))).astype(np.float32))

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        steps = q - node.input(0).zero_point
        multiplier, shift = inverse_sqrt(np.maximum(steps, 1))
        root = requantize(np.ones_like(steps), multiplier, shift + FRACTION_BITS)
        y = requantize(root, *root_multiplier(node)) + node.output.zero_point
        return np.where(steps > 0, y, type_limits(node.output)[1])


OPERATOR = Rsqrt()
