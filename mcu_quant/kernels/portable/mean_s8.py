"""Plain C mean and sum over one or two runs of axes."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.reduction import MAX_RUNS, SumReduction, element_count, merged_axes


class MeanS8(Kernel):
    name = "mean_s8"
    ops = ("mean", "sum")

    def call(self, node: BoundNode) -> KernelCall:
        multiplier, shift = sum_multiplier(node)
        params = five_axes(node) | {
            "start": -node.input(0).zero_point * element_count(node),
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": node.output.zero_point,
        }
        return KernelCall(params, tensor_arguments(node, 1))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 6.0 * node.input(0).elements + 30.0 * node.output.elements


def five_axes(node: BoundNode) -> Params:
    """The sizes of merged_axes, by what the kernels call them."""
    runs = merged_axes(node)
    names = ("outer", "reduced_1", "middle", "reduced_2", "inner")
    return dict(zip(names, runs + [1] * (MAX_RUNS - len(runs)), strict=True))


def sum_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from a sum to the output."""
    operator = OPERATORS[node.node.op]
    assert isinstance(operator, SumReduction)
    return operator.multiplier(node)


KERNEL = MeanS8()
