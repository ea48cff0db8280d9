"""What the portable pooling kernels share: all but the C."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.kernels.portable.windows import row_overlap
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.pooling import pool_axes


class PoolingKernel(Kernel):
    def call(self, node: BoundNode) -> KernelCall:
        activation_min, activation_max = activation_range(node.attrs.activation, node.output)
        bounds = {"activation_min": activation_min, "activation_max": activation_max}
        return KernelCall(pooling_params(node) | bounds, self.arguments(node))

    def arguments(self, node: BoundNode) -> tuple[Activation, Activation]:
        return Activation(node.input(0).name), Activation(node.output.name)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (row_overlap(node, pool_axes(node)),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        height, width = pool_axes(node)
        return node.output.elements * (20.0 + 6.0 * height.filter_size * width.filter_size)


def pooling_params(node: BoundNode) -> Params:
    """The sizes, from input_h to padding_w."""
    x, y = node.input(0), node.output
    height, width = pool_axes(node)
    return {
        "input_h": x.shape[1],
        "input_w": x.shape[2],
        "channels": x.shape[3],
        "filter_h": height.filter_size,
        "filter_w": width.filter_size,
        "output_h": y.shape[1],
        "output_w": y.shape[2],
        "stride_h": height.stride,
        "stride_w": width.stride,
        "padding_h": height.before,
        "padding_w": width.before,
    }
