"""Plain C slices of up to five axes, of elements of two bytes."""

from __future__ import annotations

from mcu_quant.kernels.portable.strided_slice_s8 import StridedSliceS8


class StridedSliceS16(StridedSliceS8):
    name = "strided_slice_s16"
    forms = ("int16",)


KERNEL = StridedSliceS16()
