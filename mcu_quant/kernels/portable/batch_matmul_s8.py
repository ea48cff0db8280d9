"""Plain C products of int8 matrices: a few dot products at once."""

from __future__ import annotations

from mcu_quant.fixed_point import quantize_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.loop_costs import MATRICES, is_thumb1, row_cycles
from mcu_quant.kernels.portable.matrices import matrix_overlap, matrix_params
from mcu_quant.ops.base import product_ratio
from mcu_quant.ops.batch_matmul import sizes


class BatchMatmulS8(Kernel):
    name = "batch_matmul_s8"
    ops = ("batch_matmul",)

    def call(self, node: BoundNode) -> KernelCall:
        a, b, y = node.input(0), node.input(1), node.output
        multiplier, shift = quantize_multiplier(product_ratio(node))
        params = matrix_params(node) | {
            "a_zero_point": a.zero_point,
            "b_zero_point": b.zero_point,
            "output_zero_point": y.zero_point,
            "multiplier": multiplier,
            "shift": shift,
        }
        return KernelCall(params, (Activation(a.name), Activation(b.name), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return matrix_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self.cycles_in(node, core, "balanced")

    def cycles_in(self, node: BoundNode, core: Core, optimize: str) -> float:
        _, depth, columns = sizes(node)
        return row_cycles(
            node.output.elements // columns, depth, columns, MATRICES[is_thumb1(core)][optimize]
        )


KERNEL = BatchMatmulS8()
