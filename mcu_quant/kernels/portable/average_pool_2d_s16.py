"""Plain C average pooling of int16."""

from __future__ import annotations

from mcu_quant.kernels.portable.pooling import PoolingKernel


class AveragePool2DS16(PoolingKernel):
    name = "average_pool_2d_s16"
    ops = ("average_pool_2d",)
    forms = ("int16",)


KERNEL = AveragePool2DS16()
