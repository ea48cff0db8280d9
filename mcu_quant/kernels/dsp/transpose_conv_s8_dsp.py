"""Transposed convolution with SMLAD, four products of a tap at once (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.loop_costs import LoopCosts
from mcu_quant.kernels.portable.transpose_conv_s8 import TransposeConvS8
from mcu_quant.kernels.portable.transposed import transposed_cycles

#: Fitted to counts of instructions on Cortex-M4; where the compiler optimizes for size, it takes longer.
_COSTS = LoopCosts(pixel=240, output=43, row=18, product=2.44, lone_product=4.0)
_FOR_SIZE = 1.3


class TransposeConvS8Dsp(TransposeConvS8):
    name = "transpose_conv_s8_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        return None if node.input(0).shape[3] >= 4 else "there must be four input channels or more"

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        return transposed_cycles(node, _COSTS) * (_FOR_SIZE if optimize == "size" else 1.0)


KERNEL = TransposeConvS8Dsp()
