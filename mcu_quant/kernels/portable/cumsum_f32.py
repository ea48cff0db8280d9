"""Plain C float running sums along one axis."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall, tensor_arguments
from mcu_quant.kernels.portable.cumsum_s8 import CumsumS8, axis_params


class CumsumF32(CumsumS8):
    """Goes through its input as the int8 kernel does."""

    name = "cumsum_f32"
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        arguments = tensor_arguments(node, 1)
        return KernelCall(axis_params(node), arguments)


KERNEL = CumsumF32()
