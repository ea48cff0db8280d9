"""Plain C product."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.loop_costs import SUM, is_thumb1
from mcu_quant.kernels.portable.walk import in_place, walk_params
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.mul import product_multiplier


class MulS8(Kernel):
    name = "mul_s8"
    ops = ("mul",)

    def call(self, node: BoundNode) -> KernelCall:
        first, second, output = node.input(0), node.input(1), node.output
        multiplier, shift = product_multiplier(node)
        activation_min, activation_max = activation_range(node.attrs.activation, output)
        params = walk_params(node, ("first", "second")) | {
            "first_zero_point": first.zero_point,
            "second_zero_point": second.zero_point,
            "output_zero_point": output.zero_point,
            "output_multiplier": multiplier,
            "output_shift": shift,
            "activation_min": activation_min,
            "activation_max": activation_max,
        }
        return KernelCall(params, (Activation(first.name), Activation(second.name), Activation(output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        """A sum's, which requantizes three times."""
        return 0.4 * SUM[is_thumb1(core)][optimize] * node.output.elements


KERNEL = MulS8()
