"""Plain C softmax: exponentials computed twice instead of kept, so it needs no scratch."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.ops.softmax import difference_multiplier, smallest_difference


class SoftmaxS8(Kernel):
    name = "softmax_s8"
    ops = ("softmax",)

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(0)
        multiplier, shift = difference_multiplier(node)
        params = {
            "rows": x.elements // x.shape[-1],
            "row_size": x.shape[-1],
            "multiplier": multiplier,
            "shift": shift,
            "smallest_difference": max(smallest_difference(shift), -256),
        }
        return KernelCall(params, (Activation(x.name), Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: a row is read whole before it is written, and once more element by element."""
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 340.0 * node.output.elements + 190.0 * node.output.elements / node.output.shape[-1]


KERNEL = SoftmaxS8()
