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
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        """An output, and an element that it is the mean of: fitted to docs/benchmarks.json."""
        height, width = pool_axes(node)
        output, element = (71.0, 1.75) if optimize == "size" else (24.5, 1.1)
        return node.output.elements * (output + element * height.filter_size * width.filter_size)


KERNEL = AveragePool2DS8Dsp()
