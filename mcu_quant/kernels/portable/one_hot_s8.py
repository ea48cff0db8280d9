"""Plain C marks of where indices are, of elements of whatever type."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments


class OneHotS8(Kernel):
    name = "one_hot_s8"
    ops = ("one_hot",)
    forms = ("int8", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        shape, axis = node.input(0).shape, node.attrs.axis
        params = {
            "outer": math.prod(shape[:axis]),
            "depth": node.attrs.depth,
            "inner": math.prod(shape[axis:]),
            "element_bytes": node.output.bytes // node.output.elements,
        }
        return KernelCall(params, tensor_arguments(node, 3))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 14.0 * node.output.elements


KERNEL = OneHotS8()
