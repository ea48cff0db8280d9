"""Plain C convolution: windows cut at the border, four output channels at once. No scratch."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.linear import channel_tables
from mcu_quant.kernels.portable.loop_costs import LINEAR, is_thumb1, window_cycles
from mcu_quant.kernels.portable.windows import convolution_params, linear_overlap
from mcu_quant.ops.base import activation_range


class Conv2DS8(Kernel):
    name = "conv_2d_s8"
    ops = ("conv_2d",)

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        activation_min, activation_max = activation_range(node.attrs.activation, y)
        params = {
            **convolution_params(node),
            "input_zero_point": x.zero_point,
            "output_zero_point": y.zero_point,
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        return KernelCall(params, (Activation(x.name), *channel_tables(node), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return linear_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        costs = LINEAR[is_thumb1(core)][optimize]
        return window_cycles(node, node.input(1).shape[3], True, costs)


KERNEL = Conv2DS8()
