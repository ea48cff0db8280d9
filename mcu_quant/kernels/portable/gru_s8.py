"""Plain C gated recurrent units of int8."""

from __future__ import annotations

from mcu_quant.kernels.portable.recurrent import RecurrentS8


class GruS8(RecurrentS8):
    name = "gru_s8"
    ops = ("gru",)
    scratch_per_unit = 4 * 4 + 2


KERNEL = GruS8()
