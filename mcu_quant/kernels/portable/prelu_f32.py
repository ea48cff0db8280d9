"""Plain C for a slope of its own, or one per channel, for negative floats."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import in_place, walk_params


class PreluF32(Kernel):
    name = "prelu_f32"
    ops = ("prelu",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        return KernelCall(walk_params(node, ("x", "alpha")), tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (in_place(node)[0], None)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 12.0 * node.output.elements


KERNEL = PreluF32()
