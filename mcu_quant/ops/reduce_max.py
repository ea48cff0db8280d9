"""reduce_max: the largest element along some of the axes. Raw bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.reduction import ExtremumReduction, global_pool


class ReduceMax(ExtremumReduction):
    name = "reduce_max"
    tflite_builtins = ("REDUCE_MAX",)
    keras_layers = ("GlobalMaxPooling3D",)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        return global_pool(self.name, layer, inputs[0], builder)

    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        return np.asarray(x.max(axis=axes))


OPERATOR = ReduceMax()
