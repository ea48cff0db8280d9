"""Plain C gated recurrent units of int16 activations."""

from __future__ import annotations

from mcu_quant.kernels.portable.recurrent import RecurrentS16


class GruS16(RecurrentS16):
    name = "gru_s16"
    ops = ("gru",)
    scratch_per_unit = 4 * 4 + 2 * 2


KERNEL = GruS16()
