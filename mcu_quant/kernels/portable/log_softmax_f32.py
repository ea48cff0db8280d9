"""Plain C float logarithm of softmax."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall, tensor_arguments
from mcu_quant.kernels.portable.l2_normalization_s8 import last_rows
from mcu_quant.kernels.portable.log_softmax_s8 import LogSoftmaxS8


class LogSoftmaxF32(LogSoftmaxS8):
    """Goes through its input as the int8 kernel does."""

    name = "log_softmax_f32"
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        return KernelCall(last_rows(node), tensor_arguments(node, 1))


KERNEL = LogSoftmaxF32()
