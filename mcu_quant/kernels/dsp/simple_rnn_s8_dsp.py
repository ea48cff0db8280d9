"""Simple recurrent layer of int8 with SMLAD: four factors of four sums at once (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.kernels.portable.recurrent import DSP_COSTS
from mcu_quant.kernels.portable.simple_rnn_s8 import SimpleRnnS8


class SimpleRnnS8Dsp(SimpleRnnS8):
    name = "simple_rnn_s8_dsp"
    family = "dsp"
    costs = DSP_COSTS


KERNEL = SimpleRnnS8Dsp()
