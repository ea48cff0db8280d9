"""Plain C sum and difference."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.loop_costs import SUM, is_thumb1
from mcu_quant.kernels.portable.walk import in_place, walk_params
from mcu_quant.ops.add import sum_multipliers
from mcu_quant.ops.base import activation_range


class AddS8(Kernel):
    name = "add_s8"
    ops = ("add", "sub")

    def call(self, node: BoundNode) -> KernelCall:
        first, second, output = node.input(0), node.input(1), node.output
        multipliers = sum_multipliers(node)
        activation_min, activation_max = activation_range(node.attrs.activation, output)
        params = walk_params(node, ("first", "second"))
        params["subtract"] = int(node.node.op == "sub")
        scaled = (("first", first, multipliers.first), ("second", second, multipliers.second))
        for label, tensor, (multiplier, shift) in (*scaled, ("output", output, multipliers.output)):
            params[f"{label}_zero_point"] = tensor.zero_point
            params[f"{label}_multiplier"] = multiplier
            params[f"{label}_shift"] = shift
        params |= {"activation_min": activation_min, "activation_max": activation_max}
        return KernelCall(params, (Activation(first.name), Activation(second.name), Activation(output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        return SUM[is_thumb1(core)][optimize] * node.output.elements


KERNEL = AddS8()
