"""Plain C average pooling."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.loop_costs import is_thumb1
from mcu_quant.kernels.portable.pooling import PoolingKernel
from mcu_quant.ops.pooling import pool_axes


class AveragePool2DS8(PoolingKernel):
    name = "average_pool_2d_s8"
    ops = ("average_pool_2d",)

    def cycles(self, node: BoundNode, core: Core) -> float:
        """An output, and an element that it is the mean of: fitted to the published models, in all modes."""
        height, width = pool_axes(node)
        output, element = (70.0, 9.0) if is_thumb1(core) else (0.0, 9.2)
        if "mve" in core.families:
            output, element = 15.0, 4.4
        return node.output.elements * (output + element * height.filter_size * width.filter_size)


KERNEL = AveragePool2DS8()
