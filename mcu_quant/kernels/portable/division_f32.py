"""Plain C whole quotients, remainders and powers of floats."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import in_place, walk_params


class DivisionF32(Kernel):
    name = "division_f32"
    #: In the order of MQ_DIVISION_… of division_f32.h.
    ops = ("floor_div", "floor_mod", "pow")
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("first", "second")) | {"operation": self.ops.index(node.node.op)}
        return KernelCall(params, tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 100.0 * node.output.elements


KERNEL = DivisionF32()
