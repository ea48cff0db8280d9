"""Products of int8 matrices with SMLAD: four products at once, zero_points taken off as bytes are widened
(Cortex-M4, M7, M33).
"""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.batch_matmul_s8 import BatchMatmulS8
from mcu_quant.kernels.portable.loop_costs import LoopCosts, row_cycles
from mcu_quant.ops.batch_matmul import sizes

#: adj_y: costs, fitted to counts of instructions on Cortex-M4.
_COSTS = {
    True: LoopCosts(pixel=0, output=45, row=70, product=1.7, lone_product=3.2),
    False: LoopCosts(pixel=0, output=45, row=70, product=2.2, lone_product=8.0),
}


class BatchMatmulS8Dsp(BatchMatmulS8):
    name = "batch_matmul_s8_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        if node.attrs.adj_x or sizes(node)[1] < 4:
            return "the first operand must lie in rows of four or more"
        return None

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        _, depth, columns = sizes(node)
        return row_cycles(node.output.elements // columns, depth, columns, _COSTS[node.attrs.adj_y])


KERNEL = BatchMatmulS8Dsp()
