"""Plain C float transposed convolution: each output gathers the taps that reach it. No scratch."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.float_params import (
    float_bounds,
    float_linear_cycles,
    float_tables,
    storage_of_weights,
)
from mcu_quant.kernels.portable.transposed import transposed_overlap, transposed_params


class TransposeConvF32(Kernel):
    name = "transpose_conv_f32"
    ops = ("transpose_conv",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        params = transposed_params(node) | {"storage": storage_of_weights(node)}
        params |= float_bounds(node.attrs.activation)
        weights, scale, bias = float_tables(node)
        x, y = Activation(node.input(0).name), Activation(node.output.name)
        return KernelCall(params, (x, weights, scale, bias, y))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return transposed_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return float_linear_cycles(node, core)


KERNEL = TransposeConvF32()
