"""Fully connected and 1x1 convolution on Cortex-M3 and later where flash matters: weights stay bytes, see
dot.py. No scratch."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.dot import BYTES, Dot, dot_cycles, plan_dot
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.windows import dense_overlap
from mcu_quant.ops.conv_2d import axes_of


class PointwiseBytesS8Armv7m(Kernel):
    name = "pointwise_bytes_s8_armv7m"
    family = "armv7m"
    ops = ("fully_connected", "conv_2d")
    modes = ("balanced",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.node.op == "conv_2d":
            if node.input(1).shape[1:] != (1, 1, node.input(0).shape[3]):
                return "the filter must be one pixel of all channels"
            if any(axis.stride > 1 for axis in axes_of(node)):
                return "strides must be 1"
        return None if _plan(node) is not None else "no short exact form fits the weights or scales"

    def call(self, node: BoundNode) -> KernelCall:
        dot = _plan(node)
        assert dot is not None
        x, y = node.input(0), node.output
        params = {"rows": x.elements // dot.window.inputs, "table_bytes": dot.table.nbytes, **dot.params()}
        return KernelCall(params, (Activation(x.name), dot.constant, dot.assembly, Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return dense_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        dot = _plan(node)
        assert dot is not None
        return dot_cycles(dot, node.input(0).elements // dot.window.inputs, core) + 60


@lru_cache(maxsize=128)
def _plan(node: BoundNode) -> Dot | None:
    weights = node.input(1)
    assert weights.data is not None
    return plan_dot(node, 1, weights.data.astype(np.int64).reshape(weights.shape[0], -1), (BYTES,))


KERNEL = PointwiseBytesS8Armv7m()
