"""Plain C for a slope of its own, or one per channel, for negative int8 values."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import Params, in_place, walk_params
from mcu_quant.ops.prelu import negative_multiplier
from mcu_quant.ops.unary import rescale_multiplier


class PreluS8(Kernel):
    name = "prelu_s8"
    ops = ("prelu",)

    def call(self, node: BoundNode) -> KernelCall:
        return KernelCall(_params(node), tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (in_place(node)[0], None)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 35.0 * node.output.elements


def _params(node: BoundNode) -> Params:
    zero_points: Params = {
        "x_zero_point": node.input(0).zero_point,
        "alpha_zero_point": node.input(1).zero_point,
        "output_zero_point": node.output.zero_point,
    }
    return walk_params(node, ("x", "alpha")) | zero_points | multipliers(node)


def multipliers(node: BoundNode) -> Params:
    """Of either side of 0; those of prelu_s16, too."""
    multiplier, shift = rescale_multiplier(node)
    below, below_shift = negative_multiplier(node)
    return {
        "multiplier": multiplier,
        "shift": shift,
        "negative_multiplier": below,
        "negative_shift": below_shift,
    }


KERNEL = PreluS8()
