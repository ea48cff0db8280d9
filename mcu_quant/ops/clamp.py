"""What relu_n1_to_1 and relu_0_to_1 share. TFLM has neither: a pass fuses them, or makes bounds of them."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import CLAMPS, TfliteForm, least_rescaled, quantize_bound
from mcu_quant.ops.unary import UnaryOperator, rescale_multiplier, rescale_rules


class Clamp(UnaryOperator):
    """Input: x, limited to the bounds of base.CLAMPS and rescaled."""

    float_is_exact = True
    absent_forms = MappingProxyType(
        {"int16": "TFLM and LiteRT have none: MINIMUM and MAXIMUM take its place"}
    )
    oracles = MappingProxyType({"int8": "LiteRT"})
    constraints = rescale_rules()

    def bounds(self) -> tuple[float, float]:
        low, high = CLAMPS[self.name]
        assert low is not None and high is not None, self.name
        return low, high

    def least_output_scale(self, attrs: None, input_scales: Sequence[float], dtype: str) -> float:
        return least_rescaled(input_scales[0], dtype)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm(self.tflite_builtins[0])

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return np.clip(x, *map(np.float32, self.bounds()))

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        low, high = (quantize_bound(bound, node.output) for bound in self.bounds())
        y = requantize(q - node.input(0).zero_point, *rescale_multiplier(node)) + node.output.zero_point
        return np.clip(y, low, high)
