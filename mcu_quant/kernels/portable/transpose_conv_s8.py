"""Plain C transposed convolution: each output gathers the taps that reach it. No scratch."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.linear import channel_tables
from mcu_quant.kernels.portable.loop_costs import TRANSPOSED, is_thumb1
from mcu_quant.kernels.portable.transposed import transposed_cycles, transposed_overlap, transposed_params
from mcu_quant.ops.base import activation_range


class TransposeConvS8(Kernel):
    name = "transpose_conv_s8"
    ops = ("transpose_conv",)

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        activation_min, activation_max = activation_range(node.attrs.activation, y)
        params = {
            **transposed_params(node),
            "input_zero_point": x.zero_point,
            "output_zero_point": y.zero_point,
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        return KernelCall(params, (Activation(x.name), *channel_tables(node), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return transposed_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        return transposed_cycles(node, TRANSPOSED[is_thumb1(core)][optimize])


KERNEL = TransposeConvS8()
