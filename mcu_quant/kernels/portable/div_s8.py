"""Plain C quotient."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place, walk_params
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.div import quotient_multiplier


class DivS8(Kernel):
    name = "div_s8"
    ops = ("div",)

    def call(self, node: BoundNode) -> KernelCall:
        first, second, output = node.input(0), node.input(1), node.output
        multiplier, shift = quotient_multiplier(node)
        activation_min, activation_max = activation_range(node.attrs.activation, output)
        params = walk_params(node, ("first", "second"))
        for label, tensor in (("first", first), ("second", second), ("output", output)):
            params[f"{label}_zero_point"] = tensor.zero_point
        params |= {"output_multiplier": multiplier, "output_shift": shift}
        params |= {"activation_min": activation_min, "activation_max": activation_max}
        return KernelCall(params, (Activation(first.name), Activation(second.name), Activation(output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 250.0 * node.output.elements


KERNEL = DivS8()
