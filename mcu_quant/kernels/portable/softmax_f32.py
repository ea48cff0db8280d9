"""Plain C float softmax."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall


class SoftmaxF32(Kernel):
    name = "softmax_f32"
    ops = ("softmax",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(0)
        params = {
            "rows": x.elements // x.shape[-1],
            "row_size": x.shape[-1],
            "beta": float(node.attrs.beta),
        }
        return KernelCall(params, (Activation(x.name), Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: the largest of a row is known before any of it is written."""
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 80.0 * node.output.elements


KERNEL = SoftmaxF32()
