"""reduce_max: the largest element along some of the axes. Raw bytes."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.reduction import ExtremumReduction


class ReduceMax(ExtremumReduction):
    name = "reduce_max"
    tflite_builtins = ("REDUCE_MAX",)

    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        return np.asarray(x.max(axis=axes))


OPERATOR = ReduceMax()
