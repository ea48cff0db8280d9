"""Plain C comparison of conditions and whole numbers, and logic."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Activation, Constant, KernelCall
from mcu_quant.kernels.portable.compare import RELATIONS, Compare, Relation
from mcu_quant.kernels.portable.walk import Params, element_bytes

_LOGIC = {"logical_and": Relation(3), "logical_or": Relation(4), "logical_not": Relation(0)}


class ComparePlain(Compare):
    """What is not true equals 0: so logical_not."""

    name = "compare_plain"
    ops = (*RELATIONS, *_LOGIC)
    forms = ("plain",)
    relations = RELATIONS | _LOGIC

    def call(self, node: BoundNode) -> KernelCall:
        if node.node.op != "logical_not":
            return super().call(node)
        x, size = node.input(0), node.output.elements
        params: Params = {"rows": 1, "columns": size, "sizes": (1,) * 4}
        params |= {"first_steps": (0,) * 4, "first_stride": 1, "second_steps": (0,) * 4, "second_stride": 0}
        params |= {"relation": 0, "negate": 0} | self.more(x, x)
        zero = Constant("zero", np.zeros(1, np.uint8))
        return KernelCall(params, (Activation(x.name), zero, Activation(node.output.name)))

    def more(self, first: Tensor, second: Tensor) -> Params:
        return {"element_bytes": element_bytes(first)}


KERNEL = ComparePlain()
