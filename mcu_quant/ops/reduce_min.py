"""reduce_min: the smallest element along some of the axes. Raw bytes."""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.reduction import ExtremumReduction


class ReduceMin(ExtremumReduction):
    name = "reduce_min"
    tflite_builtins = ("REDUCE_MIN",)

    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        return np.asarray(x.min(axis=axes))


OPERATOR = ReduceMin()
