"""Plain C concatenation: rows of every input in turn."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.concatenation import MAX_INPUTS


class ConcatenationS8(Kernel):
    name = "concatenation_s8"
    ops = ("concatenation",)
    forms = ("int8", "int16", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        inputs = [tensor for tensor in node.inputs if tensor is not None]
        rows = math.prod(node.output.shape[: node.attrs.axis])
        unused = MAX_INPUTS - len(inputs)
        sizes = (*(tensor.bytes // rows for tensor in inputs), *(0,) * unused)
        # C has no optional arguments: what is not there is the output, and is not read.
        names = [tensor.name for tensor in inputs] + [node.output.name] * (unused + 1)
        params: Params = {"rows": rows, "count": len(inputs), "sizes": sizes}
        return KernelCall(params, tuple(Activation(name) for name in names))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """Where an input's part of the last row ends, that row of the input begins at the earliest.

        What is written ends later, by what the other inputs give, in each row: the last row decides.
        """
        rows = math.prod(node.output.shape[: node.attrs.axis])
        row = node.output.bytes // rows
        ends, end = [], 0
        for tensor in node.inputs:
            part = 0 if tensor is None else tensor.bytes // rows
            end += part
            ends.append(end + (rows - 1) * (row - part))
        return tuple(ends)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 2.0 * node.output.bytes


KERNEL = ConcatenationS8()
