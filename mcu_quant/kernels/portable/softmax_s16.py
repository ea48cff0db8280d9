"""Plain C softmax of int16: exponentials and reciprocals from two tables of 513, the same for all models."""

from __future__ import annotations

from mcu_quant.fixed_point import quantize_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.ops.softmax_int16 import difference_ratio, exponential_table, reciprocal_table


class SoftmaxS16(Kernel):
    name = "softmax_s16"
    ops = ("softmax",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(0)
        multiplier, shift = quantize_multiplier(difference_ratio(node))
        params = {
            "rows": x.elements // x.shape[-1],
            "row_size": x.shape[-1],
            "multiplier": multiplier,
            "shift": shift,
        }
        tables = (
            Constant("exponentials", exponential_table()),
            Constant("reciprocals", reciprocal_table()),
        )
        return KernelCall(params, (Activation(x.name), *tables, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: a row is read whole before it is written, and once more element by element."""
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 60.0 * node.output.elements + 150.0 * node.output.elements / node.output.shape[-1]


KERNEL = SoftmaxS16()
