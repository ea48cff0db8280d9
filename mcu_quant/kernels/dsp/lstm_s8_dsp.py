"""LSTM of int8 with SMLAD: four products at once, of a unit's four gates (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.loop_costs import LoopCosts
from mcu_quant.kernels.portable.lstm_s8 import LstmS8, sum_cycles, unit_cycles
from mcu_quant.ops.unidirectional_sequence_lstm import WEIGHTS

#: As those of batch_matmul_s8_dsp, whose loop it is.
_COSTS = LoopCosts(pixel=0, output=28, row=42, product=2.12, lone_product=4.0)
_FOR_SIZE = 1.35


class LstmS8Dsp(LstmS8):
    name = "lstm_s8_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        if max(node.input(WEIGHTS).shape) < 4:
            return "there are too few inputs and units to take four at once"
        return None

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        sums = sum_cycles(node, _COSTS) * (_FOR_SIZE if optimize == "size" else 1.0)
        return sums + unit_cycles(node, core)


KERNEL = LstmS8Dsp()
