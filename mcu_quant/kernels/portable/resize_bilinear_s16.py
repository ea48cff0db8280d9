"""Plain C bilinear resizing of int16."""

from __future__ import annotations

from mcu_quant.kernels.portable.resize_bilinear_s8 import ResizeBilinearS8


class ResizeBilinearS16(ResizeBilinearS8):
    """Goes through its input as the int8 kernel does; its sums are int64."""

    name = "resize_bilinear_s16"
    forms = ("int16",)


KERNEL = ResizeBilinearS16()
