"""Plain C logistic and tanh of int16: one table of 256 for both."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.saturating import SaturatingOperator
from mcu_quant.ops.sigmoid_table import sigmoid_table


class SigmoidS16(Kernel):
    name = "sigmoid_s16"
    ops = ("logistic", "tanh")
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        operator = OPERATORS[node.node.op]
        assert isinstance(operator, SaturatingOperator)
        multiplier, shift = operator.scaling(node)
        params = {
            "size": node.output.elements,
            "multiplier": multiplier,
            "shift": shift,
            "is_tanh": int(node.node.op == "tanh"),
        }
        table = Constant("sigmoid", sigmoid_table().astype(np.uint16))
        return KernelCall(params, (Activation(node.input(0).name), table, Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 30.0 * node.output.elements


KERNEL = SigmoidS16()
