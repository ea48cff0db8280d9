"""LSTM of int8 with SMLAD: four products at once, of a unit's four gates (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.lstm_s8 import LstmS8, lstm_cycles
from mcu_quant.ops.unidirectional_sequence_lstm import WEIGHTS

#: By mode, as those of lstm_s8: fitted on Cortex-M4.
_COSTS = {"time": (555.0, 7.3), "balanced": (555.0, 7.3), "size": (1000.0, 9.2)}


class LstmS8Dsp(LstmS8):
    name = "lstm_s8_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        if max(node.input(WEIGHTS).shape) < 4:
            return "there are too few inputs and units to take four at once"
        return None

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        return lstm_cycles(node, *_COSTS[optimize])


KERNEL = LstmS8Dsp()
