"""Plain C hybrid transposed convolution: the input quantized, then the sums of the int8 kernel."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall
from mcu_quant.kernels.portable.hybrid import HybridKernel
from mcu_quant.kernels.portable.transposed import transposed_params


class TransposeConvHybrid(HybridKernel):
    name = "transpose_conv_hybrid"
    ops = ("transpose_conv",)

    def call(self, node: BoundNode) -> KernelCall:
        return self.hybrid_call(node, transposed_params(node))


KERNEL = TransposeConvHybrid()
