"""Plain C comparison of floats."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place, walk_params


class GreaterEqualF32(Kernel):
    name = "greater_equal_f32"
    ops = ("greater_equal",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        names = (node.input(0).name, node.input(1).name, node.output.name)
        return KernelCall(walk_params(node, ("first", "second")), tuple(Activation(name) for name in names))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """A byte is written where, at the latest, a float was read."""
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 12.0 * node.output.elements


KERNEL = GreaterEqualF32()
