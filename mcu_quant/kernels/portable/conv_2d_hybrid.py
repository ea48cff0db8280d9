"""Plain C hybrid convolution: the input quantized, then the sums of the int8 kernel."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall
from mcu_quant.kernels.portable.hybrid import HybridKernel
from mcu_quant.kernels.portable.windows import convolution_params


class Conv2DHybrid(HybridKernel):
    name = "conv_2d_hybrid"
    ops = ("conv_2d",)

    def call(self, node: BoundNode) -> KernelCall:
        return self.hybrid_call(node, convolution_params(node))


KERNEL = Conv2DHybrid()
