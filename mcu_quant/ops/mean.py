"""mean: over some of the axes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import quantize_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import scale_ratio
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.reduction import SumReduction, element_count, float_sum, global_pool


class Mean(SumReduction):
    name = "mean"
    tflite_builtins = ("MEAN",)
    keras_layers = ("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D")

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        return global_pool(self.name, layer, inputs[0], builder)

    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        count = np.prod([x.shape[axis] for axis in axes], dtype=np.int64)
        return float_sum(x, axes) / np.float32(count)

    def multiplier(self, node: BoundNode) -> tuple[int, int]:
        return mean_multiplier(node)


def mean_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) that scale a sum to the output and divide it by its count.

    As TFLM's QuantizedMeanOrSum (reference/reduce.h): the ratio's multiplier is shifted left by
    floor(log2(count)), as far as the shift allows, and divided by the count, truncating.
    """
    count = element_count(node)
    multiplier, shift = quantize_multiplier(scale_ratio((node.input(0).scale,), node.output.scale))
    spare = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << spare) // count, shift - spare


OPERATOR = Mean()
