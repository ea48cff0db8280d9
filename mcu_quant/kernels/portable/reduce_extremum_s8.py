"""Plain C maximum and minimum over one or two runs of axes; of conditions: any and all."""

from __future__ import annotations

from typing import ClassVar

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.mean_s8 import five_axes


class ReduceExtremumS8(Kernel):
    name = "reduce_extremum_s8"
    ops: ClassVar[tuple[str, ...]] = ("reduce_max", "reduce_min")

    def call(self, node: BoundNode) -> KernelCall:
        params = five_axes(node) | {"maximum": int(node.node.op in ("reduce_max", "reduce_any"))}
        return KernelCall(params, tensor_arguments(node, 1))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 7.0 * node.input(0).elements + 20.0 * node.output.elements


class ReduceConditions(ReduceExtremumS8):
    """The same C: of zeros and ones, any is the largest and all the smallest."""

    name = "reduce_conditions"
    function = "reduce_extremum_s8"
    ops = ("reduce_any", "reduce_all")
    forms = ("plain",)


KERNELS = (ReduceExtremumS8(), ReduceConditions())
