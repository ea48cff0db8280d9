"""Plain C selection by a condition."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place, walk_params


class SelectS8(Kernel):
    name = "select_s8"
    ops = ("select_v2",)

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("condition", "chosen", "other"))
        names = (*(node.input(index).name for index in range(3)), node.output.name)
        return KernelCall(params, tuple(Activation(name) for name in names))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 10.0 * node.output.elements


KERNEL = SelectS8()
