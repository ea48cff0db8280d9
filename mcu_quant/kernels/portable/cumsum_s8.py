"""Plain C running sums along one axis."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.cumsum import sum_multiplier


class CumsumS8(Kernel):
    name = "cumsum_s8"
    ops = ("cumsum",)

    def call(self, node: BoundNode) -> KernelCall:
        multiplier, shift = sum_multiplier(node)
        params = axis_params(node) | {
            "multiplier": multiplier,
            "shift": shift,
            "output_zero_point": node.output.zero_point,
        }
        return KernelCall(params, tensor_arguments(node, 1))

    def in_place(self, node: BoundNode) -> bool:
        return True

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 22.0 * node.output.elements


def axis_params(node: BoundNode) -> Params:
    shape, attrs = node.input(0).shape, node.attrs
    return {
        "outer": math.prod(shape[: attrs.axis]),
        "size": shape[attrs.axis],
        "inner": math.prod(shape[attrs.axis + 1 :]),
        "exclusive": int(attrs.exclusive),
        "reverse": int(attrs.reverse),
    }


KERNEL = CumsumS8()
