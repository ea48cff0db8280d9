"""Plain C minimum and maximum of int16."""

from __future__ import annotations

from mcu_quant.kernels.portable.extremum_s8 import ExtremumS8


class ExtremumS16(ExtremumS8):
    """Goes through its operands as the int8 kernel does."""

    name = "extremum_s16"
    forms = ("int16",)


KERNEL = ExtremumS16()
