"""abs: the distance from 0."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import TfliteForm, least_rescaled
from mcu_quant.ops.unary import UnaryOperator, rescale_multiplier, rescale_rules


class Abs(UnaryOperator):
    """Input: x."""

    name = "abs"
    float_is_exact = True
    tflite_builtins = ("ABS",)
    constraints = rescale_rules()

    def least_output_scale(self, attrs: None, input_scales: Sequence[float], dtype: str) -> float:
        return least_rescaled(input_scales[0], dtype)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("ABS", 1, "AbsOptions")

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return np.abs(x)

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        y = requantize(np.abs(q - node.input(0).zero_point), *rescale_multiplier(node))
        return y + node.output.zero_point


OPERATOR = Abs()
