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
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.kernels.portable.windows import row_overlap
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier


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
        return (row_overlap(node, axes_of(node)), *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 1.5 * float_linear_cycles(node, core)


def depthwise_params(node: BoundNode) -> Params:
    """The sizes of a depthwise convolution, from input_h to padding_w."""
    x, y, weights = node.input(0), node.output, node.input(1)
    height, width = axes_of(node)
    return {
        "input_h": x.shape[1],
        "input_w": x.shape[2],
        "input_channels": x.shape[3],
        "filter_h": weights.shape[1],
        "filter_w": weights.shape[2],
        "output_h": y.shape[1],
        "output_w": y.shape[2],
        "output_channels": y.shape[3],
        "depth_multiplier": depth_multiplier(node),
        "stride_h": height.stride,
        "stride_w": width.stride,
        "dilation_h": height.dilation,
        "dilation_w": width.dilation,
        "padding_h": height.before,
        "padding_w": width.before,
    }


KERNEL = DepthwiseConv2DF32()
