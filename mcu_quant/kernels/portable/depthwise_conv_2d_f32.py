"""Plain C float depthwise convolution: windows cut at the border, four channels at once. No scratch."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.float_params import (
    float_bounds,
    float_linear_cycles,
    float_tables,
    storage_of_weights,
)
from mcu_quant.kernels.portable.windows import depthwise_params, linear_overlap


class DepthwiseConv2DF32(Kernel):
    name = "depthwise_conv_2d_f32"
    ops = ("depthwise_conv_2d",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        params = depthwise_params(node) | {"storage": storage_of_weights(node)}
        params |= float_bounds(node.attrs.activation)
        weights, scale, bias = float_tables(node)
        x, y = Activation(node.input(0).name), Activation(node.output.name)
        return KernelCall(params, (x, weights, scale, bias, y))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return linear_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 1.5 * float_linear_cycles(node, core)


KERNEL = DepthwiseConv2DF32()
