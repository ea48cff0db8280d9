"""Plain C mean and sum of int16 over one or two runs of axes."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall, tensor_arguments
from mcu_quant.kernels.portable.mean_s8 import MeanS8, five_axes, sum_multiplier


class MeanS16(MeanS8):
    """Goes through its input as the int8 kernel does."""

    name = "mean_s16"
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        multiplier, shift = sum_multiplier(node)
        params = five_axes(node) | {"multiplier": multiplier, "shift": shift}
        return KernelCall(params, tensor_arguments(node, 1))


KERNEL = MeanS16()
