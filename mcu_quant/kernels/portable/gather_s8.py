"""Plain C reads of a table by index, of bytes of whatever type."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.base import Shape
from mcu_quant.ops.gather import GatherAttrs
from mcu_quant.ops.gather_nd import MAX_DEPTH


class GatherS8(Kernel):
    name = "gather_s8"
    ops = ("gather", "gather_nd")
    forms = ("int8", "int16", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        table, indices = node.input(0), node.input(1)
        width = table.bytes // table.elements
        params = (_gather if node.node.op == "gather" else _gather_nd)(
            node, table.shape, indices.shape, width
        )
        names = (table.name, indices.name, node.output.name)
        return KernelCall(params, tuple(Activation(name) for name in names))

    def cycles(self, node: BoundNode, core: Core) -> float:
        params = self.call(node).params
        return 30.0 * node.output.bytes / float(params["entry_bytes"]) + 2.0 * node.output.bytes  # type: ignore[arg-type]


def _gather(node: BoundNode, table: Shape, indices: Shape, width: int) -> Params:
    attrs: GatherAttrs = node.attrs
    entry = math.prod(table[attrs.axis + 1 :]) * width
    return {
        "batches": math.prod(table[: attrs.batch_dims]),
        "blocks": math.prod(table[attrs.batch_dims : attrs.axis]),
        "count": math.prod(indices[attrs.batch_dims :]),
        "block_bytes": table[attrs.axis] * entry,
        "entry_bytes": entry,
        **_axes((table[attrs.axis],), (entry,)),
    }


def _gather_nd(node: BoundNode, table: Shape, indices: Shape, width: int) -> Params:
    depth = indices[-1]
    return {
        "batches": 1,
        "blocks": 1,
        "count": math.prod(indices[:-1]),
        "block_bytes": math.prod(table) * width,
        "entry_bytes": math.prod(table[depth:]) * width,
        **_axes(table[:depth], tuple(math.prod(table[axis + 1 :]) * width for axis in range(depth))),
    }


def _axes(sizes: Shape, steps: Shape) -> Params:
    unused = MAX_DEPTH - len(sizes)
    return {"depth": len(sizes), "sizes": (*sizes, *(1,) * unused), "steps": (*steps, *(0,) * unused)}


KERNEL = GatherS8()
