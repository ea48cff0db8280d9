"""Plain C square of a difference of int16."""

from __future__ import annotations

from mcu_quant.kernels.portable.squared_difference_s8 import SquaredDifferenceS8


class SquaredDifferenceS16(SquaredDifferenceS8):
    """Goes through its operands as the int8 kernel does."""

    name = "squared_difference_s16"
    forms = ("int16",)


KERNEL = SquaredDifferenceS16()
