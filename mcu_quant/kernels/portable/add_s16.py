"""Plain C sum and difference of int16."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place, walk_params
from mcu_quant.ops.add import sum_multipliers
from mcu_quant.ops.base import activation_range


class AddS16(Kernel):
    name = "add_s16"
    forms = ("int16",)
    ops = ("add", "sub")

    def call(self, node: BoundNode) -> KernelCall:
        first, second, output = node.input(0), node.input(1), node.output
        multipliers = sum_multipliers(node)
        activation_min, activation_max = activation_range(node.attrs.activation, output)
        params = walk_params(node, ("first", "second"))
        params["subtract"] = int(node.node.op == "sub")
        for label, (multiplier, shift) in multipliers._asdict().items():
            params[f"{label}_multiplier"] = multiplier
            params[f"{label}_shift"] = shift
        params |= {"activation_min": activation_min, "activation_max": activation_max}
        return KernelCall(params, (Activation(first.name), Activation(second.name), Activation(output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 50.0 * node.output.elements


KERNEL = AddS16()
