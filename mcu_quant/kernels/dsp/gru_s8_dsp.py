"""Gated recurrent units of int8 with SMLAD: four factors of four sums at once (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.kernels.portable.gru_s8 import GruS8
from mcu_quant.kernels.portable.recurrent import DSP_COSTS


class GruS8Dsp(GruS8):
    name = "gru_s8_dsp"
    family = "dsp"
    costs = DSP_COSTS


KERNEL = GruS8Dsp()
