"""Plain C for a slope of its own, or one per channel, for negative int16 values."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.prelu_s8 import multipliers
from mcu_quant.kernels.portable.walk import Params, in_place, walk_params


class PreluS16(Kernel):
    name = "prelu_s16"
    ops = ("prelu",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        return KernelCall(_params(node), tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (in_place(node)[0], None)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 35.0 * node.output.elements


def _params(node: BoundNode) -> Params:
    zero_point: Params = {"alpha_zero_point": node.input(1).zero_point}
    return walk_params(node, ("x", "alpha")) | zero_point | multipliers(node)


KERNEL = PreluS16()
