"""Plain C average pooling."""

from __future__ import annotations

from mcu_quant.kernels.portable.pooling import PoolingKernel


class AveragePool2DS8(PoolingKernel):
    name = "average_pool_2d_s8"
    ops = ("average_pool_2d",)


KERNEL = AveragePool2DS8()
