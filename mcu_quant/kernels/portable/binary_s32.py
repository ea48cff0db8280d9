"""Plain C arithmetic of whole numbers."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import in_place, walk_params


class BinaryS32(Kernel):
    name = "binary_s32"
    #: In the order of MQ_BINARY_S32_… of binary_s32.h.
    ops = ("add", "sub", "mul", "minimum", "maximum", "div", "floor_div", "floor_mod", "squared_difference")
    forms = ("plain",)

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("first", "second")) | {"operation": self.ops.index(node.node.op)}
        return KernelCall(params, tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 12.0 * node.output.elements


KERNEL = BinaryS32()
