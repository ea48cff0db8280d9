"""Plain C float gated recurrent units."""

from __future__ import annotations

from mcu_quant.kernels.portable.recurrent_f32 import RecurrentF32


class GruF32(RecurrentF32):
    name = "gru_f32"
    ops = ("gru",)
    scratch_per_unit = 4 * 5


KERNEL = GruF32()
