"""Softmax by a table: differences of int8 logits take 256 values at most.

The table ends where an exponential changes nothing any more: below 2**11 it adds nothing to the sum, and
below 2**22 its quotient rounds to 0, because the sum is at least 1.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.ops.softmax import exponential_table

#: Exponentials below add nothing to a sum in Q12.19.
_LEAST = 1 << 11
#: So many terms of at most 2**19 fit 32 bits.
_MOST_ELEMENTS = 2**13 - 1


class SoftmaxTableS8(Kernel):
    """most_bytes: of the table, beside one for each element; about what the code takes that it replaces."""

    function = "softmax_table_s8"
    ops = ("softmax",)

    def __init__(self, name: str, mode: str, most_bytes: int) -> None:
        self.name, self.modes, self._most_bytes = name, (mode,), most_bytes

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(0).shape[-1] > _MOST_ELEMENTS:
            return f"rows must have at most {_MOST_ELEMENTS} elements"
        if softmax_table(node).nbytes > self._most_bytes + node.output.elements:
            return "the table must be worth its bytes"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(0)
        table = softmax_table(node)
        params = {
            "rows": x.elements // x.shape[-1],
            "row_size": x.shape[-1],
            "table_size": len(table),
        }
        arguments = (Activation(x.name), Constant("exponentials", table), Activation(node.output.name))
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place: a row is read whole before it is written, and once more element by element."""
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 41.0 * node.output.elements + 190.0 * node.output.elements / node.output.shape[-1]


def softmax_table(node: BoundNode) -> np.ndarray:
    """int32 [1 to 256]: exp of minus each difference to the maximum, Q0.31, as far as it matters."""
    table = exponential_table(node)
    return table[: np.flatnonzero(table >= _LEAST)[-1] + 1].astype(np.int32)


KERNELS = (
    SoftmaxTableS8("softmax_table_s8", "time", most_bytes=1024),
    SoftmaxTableS8("softmax_small_table_s8", "balanced", most_bytes=600),
    SoftmaxTableS8("softmax_smallest_table_s8", "size", most_bytes=300),
)
