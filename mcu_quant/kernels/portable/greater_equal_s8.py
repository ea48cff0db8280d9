"""Plain C comparison."""

from __future__ import annotations

from mcu_quant.fixed_point import quantize_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place, walk_params


class GreaterEqualS8(Kernel):
    name = "greater_equal_s8"
    ops = ("greater_equal",)

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("first", "second"))
        for label, tensor in (("first", node.input(0)), ("second", node.input(1))):
            multiplier, shift = quantize_multiplier(tensor.scale)
            params[f"{label}_zero_point"] = tensor.zero_point
            params[f"{label}_multiplier"] = multiplier
            params[f"{label}_shift"] = shift
        names = (node.input(0).name, node.input(1).name, node.output.name)
        return KernelCall(params, tuple(Activation(name) for name in names))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 40.0 * node.output.elements


KERNEL = GreaterEqualS8()
