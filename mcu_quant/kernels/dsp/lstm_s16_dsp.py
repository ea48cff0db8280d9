"""LSTM of int16 with SMLAD: four products at once, of a unit's four gates (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.lstm_s8 import lstm_cycles
from mcu_quant.kernels.portable.lstm_s16 import LstmS16, is_narrow
from mcu_quant.ops.unidirectional_sequence_lstm import WEIGHTS

#: By mode, as those of lstm_s8: fitted on Cortex-M4.
_COSTS = {"time": (825.0, 8.6), "balanced": (845.0, 8.5), "size": (1357.0, 9.7)}


class LstmS16Dsp(LstmS16):
    name = "lstm_s16_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        if max(node.input(WEIGHTS).shape) < 4:
            return "there are too few inputs and units to take four at once"
        if not is_narrow(node):
            return "its sums may leave 32 bits"
        return None

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        return lstm_cycles(node, *_COSTS[optimize])


KERNEL = LstmS16Dsp()
