"""Plain C mean of int16 over one or two runs of axes."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.mean_s8 import merged_axes
from mcu_quant.ops.mean import mean_multiplier


class MeanS16(Kernel):
    name = "mean_s16"
    ops = ("mean",)
    forms = ("int16",)

    def refusal(self, node: BoundNode) -> str | None:
        if len(merged_axes(node)) > 5:
            return "mean over more than two runs of neighbouring axes has no C kernel"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        runs = merged_axes(node)
        outer, reduced_1, middle, reduced_2, inner = runs + [1] * (5 - len(runs))
        multiplier, shift = mean_multiplier(node)
        params = {
            "outer": outer,
            "reduced_1": reduced_1,
            "middle": middle,
            "reduced_2": reduced_2,
            "inner": inner,
            "multiplier": multiplier,
            "shift": shift,
        }
        return KernelCall(params, (Activation(node.input(0).name), Activation(node.output.name)))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 6.0 * node.input(0).elements + 30.0 * node.output.elements


KERNEL = MeanS16()
