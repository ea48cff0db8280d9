"""Plain C float arithmetic on two operands."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.float_params import float_bounds
from mcu_quant.kernels.portable.walk import in_place, walk_params


class BinaryF32(Kernel):
    name = "binary_f32"
    #: In the order of MQ_BINARY_… of binary_f32.h.
    ops = ("add", "sub", "mul", "minimum", "maximum", "div", "squared_difference")
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        params = walk_params(node, ("first", "second"))
        params["operation"] = self.ops.index(node.node.op)
        params |= float_bounds(getattr(node.attrs, "activation", "none"))
        return KernelCall(params, tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return in_place(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 12.0 * node.output.elements


KERNEL = BinaryF32()
