"""Plain C products of float matrices: a few dot products at once."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.float_params import float_product_cycles
from mcu_quant.kernels.portable.matrices import matrix_overlap, matrix_params


class BatchMatmulF32(Kernel):
    name = "batch_matmul_f32"
    ops = ("batch_matmul",)
    forms = ("float",)

    def call(self, node: BoundNode) -> KernelCall:
        return KernelCall(matrix_params(node), tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return matrix_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return float_product_cycles(node, core, "float32")


KERNEL = BatchMatmulF32()
