"""Plain C float simple recurrent layer."""

from __future__ import annotations

from mcu_quant.kernels.portable.recurrent_f32 import RecurrentF32


class SimpleRnnF32(RecurrentF32):
    name = "simple_rnn_f32"
    ops = ("simple_rnn",)
    scratch_per_unit = 4


KERNEL = SimpleRnnF32()
