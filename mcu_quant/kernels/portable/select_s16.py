"""Plain C selection of int16 by a condition."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import in_place, walk_params


class SelectS16(Kernel):
    name = "select_s16"
    ops = ("select_v2",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("condition", "chosen", "other"))
        names = (*(node.input(index).name for index in range(3)), node.output.name)
        return KernelCall(params, tuple(Activation(name) for name in names))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place; of the condition, a byte each, none may be overwritten before it is read."""
        condition, *operands = in_place(node)
        return (None if condition is None else node.output.elements - 1, *operands)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 10.0 * node.output.elements


KERNEL = SelectS16()
