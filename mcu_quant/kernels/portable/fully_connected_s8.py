"""Plain C fully connected: a few dot products at once."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.linear import channel_tables
from mcu_quant.kernels.portable.loop_costs import LINEAR, is_thumb1, row_cycles
from mcu_quant.kernels.portable.windows import dense_overlap
from mcu_quant.ops.base import activation_range


class FullyConnectedS8(Kernel):
    name = "fully_connected_s8"
    ops = ("fully_connected",)

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(0)
        units, in_size = node.input(1).shape
        activation_min, activation_max = activation_range(node.attrs.activation, node.output)
        params = {
            "rows": x.elements // in_size,
            "input_size": in_size,
            "output_size": units,
            "input_zero_point": x.zero_point,
            "output_zero_point": node.output.zero_point,
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        arguments = (Activation(x.name), *channel_tables(node), Activation(node.output.name))
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return dense_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        units, size = node.input(1).shape
        return row_cycles(node.input(0).elements // size, size, units, LINEAR[is_thumb1(core)][optimize])


KERNEL = FullyConnectedS8()
