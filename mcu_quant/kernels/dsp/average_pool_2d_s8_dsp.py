"""Average pooling with SXTAB16: sums of two channels in a register (Cortex-M4, M7, M33)."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.pooling import PoolingKernel
from mcu_quant.ops.pooling import pool_axes


class AveragePool2DS8Dsp(PoolingKernel):
    name = "average_pool_2d_s8_dsp"
    family = "dsp"
    ops = ("average_pool_2d",)

    def cycles(self, node: BoundNode, core: Core) -> float:
        height, width = pool_axes(node)
        outputs, elements = (
            node.output.elements,
            node.output.elements * height.filter_size * width.filter_size,
        )
        return 1.3 * elements + 25.0 * outputs


KERNEL = AveragePool2DS8Dsp()
