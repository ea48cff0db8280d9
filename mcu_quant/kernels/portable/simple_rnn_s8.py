"""Plain C simple recurrent layer of int8."""

from __future__ import annotations

from mcu_quant.kernels.portable.recurrent import RecurrentS8


class SimpleRnnS8(RecurrentS8):
    name = "simple_rnn_s8"
    ops = ("simple_rnn",)
    scratch_per_unit = 4 + 1


KERNEL = SimpleRnnS8()
