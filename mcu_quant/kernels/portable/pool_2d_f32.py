"""Plain C float pooling, mean and maximum."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall
from mcu_quant.kernels.portable.float_params import float_bounds
from mcu_quant.kernels.portable.pooling import PoolingKernel, pooling_params


class Pool2DF32(PoolingKernel):
    name = "pool_2d_f32"
    ops = ("max_pool_2d", "average_pool_2d")
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        maximum = {"maximum": int(node.node.op == "max_pool_2d")}
        params = maximum | pooling_params(node) | float_bounds(node.attrs.activation)
        return KernelCall(params, self.arguments(node))


KERNEL = Pool2DF32()
