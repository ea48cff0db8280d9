"""Plain C index of the largest or smallest integer."""

from __future__ import annotations

import math
from typing import ClassVar

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params, element_bytes


class ArgExtremum(Kernel):
    name = "arg_extremum"
    ops = ("arg_max", "arg_min")
    forms: ClassVar[tuple[str, ...]] = ("int8", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        x, axis = node.input(0), node.attrs.axis
        params: Params = {
            "outer": math.prod(x.shape[:axis]),
            "size": x.shape[axis],
            "inner": math.prod(x.shape[axis + 1 :]),
            "maximum": int(node.node.op == "arg_max"),
            "index_bytes": element_bytes(node.output),
        }
        return KernelCall(params | self.more(node), (Activation(x.name), Activation(node.output.name)))

    def more(self, node: BoundNode) -> Params:
        """Further parameters."""
        return {"element_bytes": element_bytes(node.input(0))}

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """Along the last axis, all that an index is of has been read when it is written."""
        x = node.input(0)
        if math.prod(x.shape[node.attrs.axis + 1 :]) != 1:
            return (None,)
        longer = element_bytes(node.output) - x.bytes // node.output.elements
        return (max(longer * (node.output.elements - 1), 0),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 8.0 * node.input(0).elements + 20.0 * node.output.elements


KERNEL = ArgExtremum()
