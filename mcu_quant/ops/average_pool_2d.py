"""average_pool_2d: the mean of each window, over the elements inside the input."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, activation_range, float_activation
from mcu_quant.ops.pooling import Pool2D, pool, pool_counts


class AveragePool2D(Pool2D):
    name = "average_pool_2d"
    tflite_builtins = ("AVERAGE_POOL_2D",)
    keras_layers = ("AveragePooling1D", "AveragePooling2D")

    constraints = (
        *Pool2D.constraints,
        Constraint(
            "the sum of a window must fit int32",
            lambda node: math.prod(node.attrs.filter_size) < 2**16,
            lambda node: node.attrs.filter_size,
            "smaller windows",
            ("int16",),
        ),
    )

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        y = pool(node, x, np.add, np.float32(0)) / pool_counts(node).astype(np.float32)
        return (float_activation(y, node.attrs.activation),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """The raw values' mean, halves away from zero: (sum +- count / 2) / count, truncated."""
        (x,) = inputs
        assert x is not None
        low, high = activation_range(node.attrs.activation, node.output)
        sums = pool(node, x.astype(np.int64), np.add, np.int64(0))
        counts = pool_counts(node)
        mean = np.sign(sums) * ((np.abs(sums) + counts // 2) // counts)
        return (np.clip(mean, low, high).astype(x.dtype),)


OPERATOR = AveragePool2D()
