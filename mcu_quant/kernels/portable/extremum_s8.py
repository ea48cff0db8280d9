"""Plain C minimum and maximum."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import in_place, walk_params


class ExtremumS8(Kernel):
    name = "extremum_s8"
    ops = ("minimum", "maximum")

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("first", "second")) | {"maximum": int(node.node.op == "maximum")}
        return KernelCall(params, tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 10.0 * node.output.elements


KERNEL = ExtremumS8()
