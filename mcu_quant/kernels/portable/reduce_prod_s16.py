"""Plain C product of int16 over one or two runs of axes."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall
from mcu_quant.kernels.portable.reduce_prod_s8 import ReduceProdS8


class ReduceProdS16(ReduceProdS8):
    """Goes through its input as the int8 kernel does."""

    name = "reduce_prod_s16"
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        call = super().call(node)
        params = {name: value for name, value in call.params.items() if not name.endswith("zero_point")}
        return KernelCall(params, call.arguments)


KERNEL = ReduceProdS16()
