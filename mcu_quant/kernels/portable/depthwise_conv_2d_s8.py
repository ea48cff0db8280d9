"""Plain C depthwise convolution: windows cut at the border, four channels at once. No scratch."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.linear import channel_tables
from mcu_quant.kernels.portable.loop_costs import DEPTHWISE, is_thumb1, window_cycles
from mcu_quant.kernels.portable.windows import row_overlap
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier


class DepthwiseConv2DS8(Kernel):
    name = "depthwise_conv_2d_s8"
    ops = ("depthwise_conv_2d",)

    def call(self, node: BoundNode) -> KernelCall:
        x, y, weights = node.input(0), node.output, node.input(1)
        height, width = axes_of(node)
        activation_min, activation_max = activation_range(node.attrs.activation, y)
        params = {
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
            "input_zero_point": x.zero_point,
            "output_zero_point": y.zero_point,
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        return KernelCall(params, (Activation(x.name), *channel_tables(node), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (row_overlap(node, axes_of(node)), *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        costs = DEPTHWISE[is_thumb1(core)][optimize]
        return window_cycles(node, 1, depth_multiplier(node) == 1, costs)


KERNEL = DepthwiseConv2DS8()
