"""Plain C maximum and minimum of int16 over one or two runs of axes."""

from __future__ import annotations

from mcu_quant.kernels.portable.reduce_extremum_s8 import ReduceExtremumS8


class ReduceExtremumS16(ReduceExtremumS8):
    """Goes through its input as the int8 kernel does."""

    name = "reduce_extremum_s16"
    ops = ("reduce_max", "reduce_min")
    forms = ("int16",)


KERNEL = ReduceExtremumS16()
