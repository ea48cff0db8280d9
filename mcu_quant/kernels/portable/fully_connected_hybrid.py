"""Plain C hybrid fully connected layer: each row quantized, then sums of integers."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import KernelCall
from mcu_quant.kernels.portable.hybrid import HybridKernel
from mcu_quant.kernels.portable.walk import Params


class FullyConnectedHybrid(HybridKernel):
    name = "fully_connected_hybrid"
    ops = ("fully_connected",)

    def call(self, node: BoundNode) -> KernelCall:
        return self.hybrid_call(node, self.sizes(node))

    def sizes(self, node: BoundNode) -> Params:
        """Everything but the bounds of the activation."""
        units, in_size = node.input(1).shape
        return {
            "rows": node.input(0).elements // in_size,
            "input_size": in_size,
            "output_size": units,
            "asymmetric": int(node.attrs.asymmetric),
        }

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """A row of the output may begin where that of the input did, and ends where the next one begins."""
        units, in_size = node.input(1).shape
        rows = node.input(0).elements // in_size
        return (4 * max(0, (rows - 1) * (units - in_size)), *(None for _ in node.inputs[1:]))

    def scratch_bytes(self, node: BoundNode) -> int:
        """One row: that of the next takes its place, where the input of the first was."""
        return node.input(1).shape[1]


KERNEL = FullyConnectedHybrid()
