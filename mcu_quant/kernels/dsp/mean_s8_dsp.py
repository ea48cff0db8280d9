"""Mean over one run of axes with SXTAB16: sums of two channels in a register (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.ops.mean import mean_multiplier
from mcu_quant.ops.reduction import element_count, merged_axes


class MeanS8Dsp(Kernel):
    name = "mean_s8_dsp"
    family = "dsp"
    ops = ("mean",)

    def refusal(self, node: BoundNode) -> str | None:
        axes = merged_axes(node)
        if len(axes) != 3 or axes[2] < 4:
            return "the axes must be one run, with four channels or more behind them"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        outer, reduced, inner = merged_axes(node)
        multiplier, shift = mean_multiplier(node)
        params = {
            "outer": outer,
            "reduced": reduced,
            "inner": inner,
            "start": -node.input(0).zero_point * element_count(node),
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": node.output.zero_point,
        }
        return KernelCall(params, tensor_arguments(node, 1))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 1.3 * node.input(0).elements + 30.0 * node.output.elements


KERNEL = MeanS8Dsp()
