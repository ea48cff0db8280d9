"""svdf of int8 activations with SMLAD, four values of a frame at once, two or four of a memory."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.loop_costs import LoopCosts
from mcu_quant.kernels.portable.svdf_s8 import SvdfS8, svdf_cycles
from mcu_quant.ops.svdf import FEATURE, TIME

#: As those of batch_matmul_s8_dsp, whose loop it is.
_COSTS = LoopCosts(pixel=0, output=28, row=42, product=2.12, lone_product=4.0)
_FOR_SIZE = 1.35


class SvdfS8Dsp(SvdfS8):
    name = "svdf_s8_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(FEATURE).shape[1] < 4 and node.input(TIME).shape[1] < 4:
            return "its frames and memories are too short to take several values at once"
        return None

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        return svdf_cycles(node, _COSTS, 40.0, 4.5) * (_FOR_SIZE if optimize == "size" else 1.0)


KERNEL = SvdfS8Dsp()
