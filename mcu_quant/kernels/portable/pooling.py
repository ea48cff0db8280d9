"""What the portable pooling kernels share: all but the C."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.windows import row_overlap
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.pooling import pool_axes


class PoolingKernel(Kernel):
    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        height, width = pool_axes(node)
        activation_min, activation_max = activation_range(node.attrs.activation, y)
        params = {
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
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        return KernelCall(params, (Activation(x.name), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (row_overlap(node, pool_axes(node)),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        height, width = pool_axes(node)
        return node.output.elements * (6.0 * height.filter_size * width.filter_size + 30.0)
