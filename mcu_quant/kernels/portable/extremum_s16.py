"""Plain C minimum and maximum of int16."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place, walk_params


class ExtremumS16(Kernel):
    name = "extremum_s16"
    ops = ("minimum", "maximum")
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("first", "second")) | {"maximum": int(node.node.op == "maximum")}
        names = (node.input(0).name, node.input(1).name, node.output.name)
        return KernelCall(params, tuple(Activation(name) for name in names))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 10.0 * node.output.elements


KERNEL = ExtremumS16()
