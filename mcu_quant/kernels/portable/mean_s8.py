"""Plain C mean over one or two runs of axes."""

from __future__ import annotations

import itertools
import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.mean import element_count, mean_multiplier


class MeanS8(Kernel):
    name = "mean_s8"
    ops = ("mean",)

    def refusal(self, node: BoundNode) -> str | None:
        if len(merged_axes(node)) > 5:
            return "mean over more than two runs of neighbouring axes has no C kernel"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        multiplier, shift = mean_multiplier(node)
        params = five_axes(node) | {
            "start": -node.input(0).zero_point * element_count(node),
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": node.output.zero_point,
        }
        return KernelCall(params, (Activation(node.input(0).name), Activation(node.output.name)))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 6.0 * node.input(0).elements + 30.0 * node.output.elements


def five_axes(node: BoundNode) -> Params:
    """The sizes of merged_axes, by what the kernels call them."""
    runs = merged_axes(node)
    names = ("outer", "reduced_1", "middle", "reduced_2", "inner")
    return dict(zip(names, runs + [1] * (5 - len(runs)), strict=True))


def merged_axes(node: BoundNode) -> list[int]:
    """The input's axes, neighbours of a kind merged: kept, reduced, kept, ... (1 first if none is kept).

    A mean over one run leaves [outer, reduced, inner]: the kernel's `middle` is then the innermost.
    """
    axes = [(axis in node.attrs.axes, size) for axis, size in enumerate(node.input(0).shape) if size > 1]
    runs = [
        math.prod(size for _, size in run) for _, run in itertools.groupby(axes, key=lambda axis: axis[0])
    ]
    return runs if axes and not axes[0][0] else [1, *runs]


KERNEL = MeanS8()
