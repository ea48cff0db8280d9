"""Plain C comparison of floats."""

from __future__ import annotations

from mcu_quant.kernels.portable.compare import Compare


class CompareF32(Compare):
    name = "compare_f32"
    forms = ("float",)


KERNEL = CompareF32()
