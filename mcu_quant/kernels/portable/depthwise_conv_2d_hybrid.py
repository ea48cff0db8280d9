"""Plain C hybrid depthwise convolution: the input quantized, then the sums of the int8 kernel."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall
from mcu_quant.kernels.portable.hybrid import HybridKernel
from mcu_quant.kernels.portable.windows import depthwise_params


class DepthwiseConv2DHybrid(HybridKernel):
    name = "depthwise_conv_2d_hybrid"
    ops = ("depthwise_conv_2d",)

    def call(self, node: BoundNode) -> KernelCall:
        return self.hybrid_call(node, depthwise_params(node))


KERNEL = DepthwiseConv2DHybrid()
