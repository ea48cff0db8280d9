"""Plain C product over one or two runs of axes."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import reduced_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.mean_s8 import five_axes
from mcu_quant.ops.reduce_prod import prod_multiplier


class ReduceProdS8(Kernel):
    name = "reduce_prod_s8"
    ops = ("reduce_prod",)

    def call(self, node: BoundNode) -> KernelCall:
        multiplier, shift = prod_multiplier(node)
        params = five_axes(node) | {
            "input_zero_point": node.input(0).zero_point,
            "multiplier": int(reduced_multiplier(np.asarray(multiplier, np.int64))),
            "shift": shift,
            "output_zero_point": node.output.zero_point,
        }
        return KernelCall(params, tensor_arguments(node, 1))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 24.0 * node.input(0).elements + 30.0 * node.output.elements


KERNEL = ReduceProdS8()
