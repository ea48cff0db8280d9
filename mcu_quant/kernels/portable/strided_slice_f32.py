"""Plain C slices of floats."""

from __future__ import annotations

from mcu_quant.kernels.portable.strided_slice_s8 import StridedSliceS8


class StridedSliceF32(StridedSliceS8):
    """Goes through its input as the int8 kernel does: positions are in elements."""

    name = "strided_slice_f32"
    forms = ("float",)


KERNEL = StridedSliceF32()
