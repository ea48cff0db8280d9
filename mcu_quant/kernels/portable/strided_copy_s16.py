"""Plain C for all that only moves elements, where each of two bytes stands alone."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.strided_copy_s8 import (
    StridedCopyS8,
    along_all_axes,
    walk_of,
)
from mcu_quant.ops.mover import path_of


class StridedCopyS16(StridedCopyS8):
    """Goes through its input as strided_copy_s8 does, in elements: one access for each, on every core."""

    name = "strided_copy_s16"
    forms = ("int16",)

    def refusal(self, node: BoundNode) -> str | None:
        _, run = path_of(node).in_runs()
        return None if run == 1 else "elements lie together in runs"

    def call(self, node: BoundNode) -> KernelCall:
        path, _ = path_of(node).in_runs()
        return KernelCall(walk_of(along_all_axes(path)), tensor_arguments(node, 1))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 6.0 * node.output.elements


KERNEL = StridedCopyS16()
