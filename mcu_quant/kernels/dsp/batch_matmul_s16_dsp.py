"""Products of int16 matrices that lie in rows of factors, with SMLALD (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.batch_matmul_s16 import BatchMatmulS16
from mcu_quant.ops.batch_matmul import sizes

#: Cycles of an output, of a product, and of a row.
_OUTPUT, _PRODUCT, _ROW = 52.0, 3.4, 40.0


class BatchMatmulS16Dsp(BatchMatmulS16):
    name = "batch_matmul_s16_dsp"
    family = "dsp"

    def refusal(self, node: BoundNode) -> str | None:
        if node.attrs.adj_x or not node.attrs.adj_y:
            return "both operands must lie in rows of factors"
        return None

    def cycles(self, node: BoundNode, core: Core) -> float:
        _, depth, columns = sizes(node)
        outputs = node.output.elements
        return (_OUTPUT + _PRODUCT * depth) * outputs + _ROW * (outputs // columns)


KERNEL = BatchMatmulS16Dsp()
