"""Plain C float fully connected layer: a few dot products at once."""

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
from mcu_quant.kernels.portable.windows import dense_overlap


class FullyConnectedF32(Kernel):
    name = "fully_connected_f32"
    ops = ("fully_connected",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        units, in_size = node.input(1).shape
        params: Params = {
            "rows": node.input(0).elements // in_size,
            "input_size": in_size,
            "output_size": units,
            "storage": storage_of_weights(node),
        }
        params |= float_bounds(node.attrs.activation)
        weights, scale, bias = float_tables(node)
        x, y = Activation(node.input(0).name), Activation(node.output.name)
        return KernelCall(params, (x, weights, scale, bias, y))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return dense_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return float_linear_cycles(node, core)


KERNEL = FullyConnectedF32()
