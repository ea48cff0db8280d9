"""Products of int8 matrices with SMLAD: four products at once, zero_points taken off as bytes are widened
(Cortex-M4, M7, M33). A second operand whose columns do not lie in rows is turned round in scratch.
"""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, KernelCall, Scratch
from mcu_quant.kernels.portable.batch_matmul_s8 import BatchMatmulS8
from mcu_quant.kernels.portable.loop_costs import LoopCosts, row_cycles
from mcu_quant.ops.batch_matmul import sizes

#: Fitted to counts of instructions on Cortex-M4; where the compiler optimizes for size, it takes longer.
_COSTS = LoopCosts(pixel=0, output=28, row=42, product=2.12, lone_product=4.0)
_FOR_SIZE = 1.35
#: Cycles of an element that is turned round.
_TURN = 8.0
#: Rows of the first operand that are worth that.
_LEAST_ROWS = 4


class BatchMatmulS8Dsp(BatchMatmulS8):
    name = "batch_matmul_s8_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        rows, depth, _ = sizes(node)
        if node.attrs.adj_x or depth < 4:
            return "the first operand must lie in rows of four or more"
        if not node.attrs.adj_y and rows < _LEAST_ROWS:
            return "too few rows share the second operand to turn it round"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        call = super().call(node)
        return replace(call, arguments=(*call.arguments[:2], Scratch(), call.arguments[2]))

    def scratch_bytes(self, node: BoundNode) -> int:
        """One matrix."""
        _, depth, columns = sizes(node)
        return 0 if node.attrs.adj_y else depth * columns

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        rows, depth, columns = sizes(node)
        count = node.output.elements // columns
        turned = 0.0 if node.attrs.adj_y else _TURN * depth * columns * (count // rows)
        loops = row_cycles(count, depth, columns, _COSTS)
        return turned + loops * (_FOR_SIZE if optimize == "size" else 1.0)


KERNEL = BatchMatmulS8Dsp()
