"""Plain C maximum pooling of int16."""

from __future__ import annotations

from mcu_quant.kernels.portable.pooling import PoolingKernel


class MaxPool2DS16(PoolingKernel):
    name = "max_pool_2d_s16"
    ops = ("max_pool_2d",)
    forms = ("int16",)


KERNEL = MaxPool2DS16()
