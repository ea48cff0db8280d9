"""Plain C simple recurrent layer of int16 activations."""

from __future__ import annotations

from mcu_quant.kernels.portable.recurrent import RecurrentS16


class SimpleRnnS16(RecurrentS16):
    name = "simple_rnn_s16"
    ops = ("simple_rnn",)
    scratch_per_unit = 4 + 2


KERNEL = SimpleRnnS16()
