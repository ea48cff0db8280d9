"""Plain C normalization of rows to length 1."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import Params


class L2NormalizationS8(Kernel):
    name = "l2_normalization_s8"
    ops = ("l2_normalization",)

    def call(self, node: BoundNode) -> KernelCall:
        params = last_rows(node) | {"input_zero_point": node.input(0).zero_point}
        return KernelCall(params, tensor_arguments(node, 1))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: a row is read whole before it is written, and once more element by element."""
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 30.0 * node.output.elements + 400.0 * node.output.elements / node.output.shape[-1]


def last_rows(node: BoundNode) -> Params:
    """rows and row_size of an input that is worked on along its last axis."""
    x = node.input(0)
    return {"rows": x.elements // x.shape[-1], "row_size": x.shape[-1]}


KERNEL = L2NormalizationS8()
