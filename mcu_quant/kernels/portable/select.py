"""Plain C selection by a condition, of elements of any type."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import element_bytes, in_place, walk_params


class Select(Kernel):
    name = "select"
    ops = ("select_v2",)
    forms = ("int8", "int16", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("condition", "chosen", "other"))
        params["element_bytes"] = element_bytes(node.output)
        return KernelCall(params, tensor_arguments(node, 3))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place; of the condition, a byte each, none may be overwritten before it is read."""
        condition, *operands = in_place(node)
        ahead = (element_bytes(node.output) - 1) * node.output.elements
        return (None if condition is None else ahead, *operands)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 10.0 * node.output.elements


KERNEL = Select()
