"""Plain C transposed convolution of int16: each output gathers the taps that reach it. No scratch."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.linear_s16 import channel_tables, linear_s16_cycles, sum_params
from mcu_quant.kernels.portable.transposed import transposed_overlap, transposed_params
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.base import activation_range


class TransposeConvS16(Kernel):
    name = "transpose_conv_s16"
    ops = ("transpose_conv",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        activation_min, activation_max = activation_range(node.attrs.activation, y)
        params: Params = {
            **transposed_params(node),
            **sum_params(node),
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        return KernelCall(params, (Activation(x.name), *channel_tables(node), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return transposed_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return linear_s16_cycles(node, core)


KERNEL = TransposeConvS16()
