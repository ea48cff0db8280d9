"""Plain C for all that only moves elements, where each float stands alone."""

from __future__ import annotations

from mcu_quant.kernels.portable.strided_copy_s16 import StridedCopyS16


class StridedCopyF32(StridedCopyS16):
    name = "strided_copy_f32"
    forms = ("float",)


KERNEL = StridedCopyF32()
