"""Plain C float normalization of rows to length 1."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall, tensor_arguments
from mcu_quant.kernels.portable.l2_normalization_s8 import L2NormalizationS8, last_rows


class L2NormalizationF32(L2NormalizationS8):
    """Goes through its input as the int8 kernel does."""

    name = "l2_normalization_f32"
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        return KernelCall(last_rows(node), tensor_arguments(node, 1))


KERNEL = L2NormalizationF32()
