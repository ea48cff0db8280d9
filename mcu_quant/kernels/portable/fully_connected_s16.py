"""Plain C fully connected of int16: a few dot products at once."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.linear_s16 import channel_tables, linear_s16_cycles, sum_params
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.kernels.portable.windows import dense_overlap
from mcu_quant.ops.base import activation_range


class FullyConnectedS16(Kernel):
    name = "fully_connected_s16"
    ops = ("fully_connected",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(0)
        units, in_size = node.input(1).shape
        activation_min, activation_max = activation_range(node.attrs.activation, node.output)
        params: Params = {
            "rows": x.elements // in_size,
            "input_size": in_size,
            "output_size": units,
            **sum_params(node),
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        arguments = (Activation(x.name), *channel_tables(node), Activation(node.output.name))
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return dense_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return linear_s16_cycles(node, core)


KERNEL = FullyConnectedS16()
