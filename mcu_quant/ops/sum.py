"""sum: over some of the axes."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.reduction import SumReduction, float_sum
from mcu_quant.ops.unary import rescale_multiplier


class Sum(SumReduction):
    name = "sum"
    tflite_builtins = ("SUM",)

    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        return float_sum(x, axes)

    def multiplier(self, node: BoundNode) -> tuple[int, int]:
        return rescale_multiplier(node)


OPERATOR = Sum()
