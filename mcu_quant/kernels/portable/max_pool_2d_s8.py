"""Plain C maximum pooling."""

from __future__ import annotations

from mcu_quant.kernels.portable.pooling import PoolingKernel


class MaxPool2DS8(PoolingKernel):
    name = "max_pool_2d_s8"
    ops = ("max_pool_2d",)


KERNEL = MaxPool2DS8()
