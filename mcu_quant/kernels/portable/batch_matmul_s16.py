"""Plain C products of int16 matrices: sums in 64 bits."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import quantize_multiplier, reduced_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.matrices import matrix_overlap, matrix_params
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import product_ratio


class BatchMatmulS16(Kernel):
    name = "batch_matmul_s16"
    ops = ("batch_matmul",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        multiplier, shift = quantize_multiplier(product_ratio(node))
        reduced = int(reduced_multiplier(np.array(multiplier, np.int64)))
        params = matrix_params(node) | {"multiplier": reduced, "shift": shift}
        return KernelCall(params, tensor_arguments(node, 2))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return matrix_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 12.0 * OPERATORS[node.node.op].macs(node) + 60.0 * node.output.elements


KERNEL = BatchMatmulS16()
