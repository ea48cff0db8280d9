"""Gated recurrent units of int8 with SMLAD: four factors of four sums at once (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.kernels.portable.gru_s8 import GruS8


class GruS8Dsp(GruS8):
    name = "gru_s8_dsp"
    family = "dsp"
    costs = (2.2, 60.0)


KERNEL = GruS8Dsp()
