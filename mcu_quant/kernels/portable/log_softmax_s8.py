"""Plain C logarithm of softmax."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.l2_normalization_s8 import last_rows
from mcu_quant.ops.log_softmax import difference_multiplier, inverse_multiplier
from mcu_quant.ops.softmax import smallest_difference


class LogSoftmaxS8(Kernel):
    name = "log_softmax_s8"
    ops = ("log_softmax",)

    def call(self, node: BoundNode) -> KernelCall:
        multiplier, shift = difference_multiplier(node)
        inverse, inverse_shift = inverse_multiplier(node)
        params = last_rows(node) | {
            "multiplier": multiplier,
            "shift": shift,
            "smallest_difference": max(smallest_difference(shift), -256),
            "inverse_multiplier": inverse,
            "inverse_shift": inverse_shift,
        }
        return KernelCall(params, tensor_arguments(node, 1))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: a row is read whole before it is written, and once more element by element."""
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 200.0 * node.output.elements + 400.0 * node.output.elements / node.output.shape[-1]


KERNEL = LogSoftmaxS8()
