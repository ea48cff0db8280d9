"""Plain C float reductions over one or two runs of axes."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.mean_s8 import five_axes


class ReduceF32(Kernel):
    name = "reduce_f32"
    #: In the order of MQ_REDUCE_… of reduce_f32.h.
    ops = ("sum", "mean", "reduce_prod", "reduce_max", "reduce_min")
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        params = five_axes(node) | {"operation": self.ops.index(node.node.op)}
        return KernelCall(params, tensor_arguments(node, 1))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 6.0 * node.input(0).elements + 30.0 * node.output.elements


KERNEL = ReduceF32()
