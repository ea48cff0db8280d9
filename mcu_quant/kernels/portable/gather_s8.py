"""Plain C reads of a table by index, of bytes of whatever type."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.base import Shape
from mcu_quant.ops.gather import GatherAttrs
from mcu_quant.ops.gather_nd import MAX_DEPTH


class GatherS8(Kernel):
    name = "gather_s8"
    ops = ("gather", "gather_nd")
    forms = ("int8", "int16", "float", "plain")

    def call(self, node: BoundNode) -> KernelCall:
        params = _gather(node) if node.node.op == "gather" else _gather_nd(node)
        return KernelCall(params, tensor_arguments(node, 2))

    def cycles(self, node: BoundNode, core: Core) -> float:
        indexed = node.attrs.axis + 1 if node.node.op == "gather" else node.input(1).shape[-1]
        entry_bytes = math.prod(node.input(0).shape[indexed:]) * _width(node)
        return 10.0 * node.output.bytes / entry_bytes + 1.0 * node.output.bytes


def _width(node: BoundNode) -> int:
    """Bytes of an element."""
    return node.output.bytes // node.output.elements


def _gather(node: BoundNode) -> Params:
    attrs: GatherAttrs = node.attrs
    table, indices = node.input(0).shape, node.input(1).shape
    entry = math.prod(table[attrs.axis + 1 :]) * _width(node)
    return {
        "batches": math.prod(table[: attrs.batch_dims]),
        "blocks": math.prod(table[attrs.batch_dims : attrs.axis]),
        "count": math.prod(indices[attrs.batch_dims :]),
        "block_bytes": table[attrs.axis] * entry,
        "entry_bytes": entry,
        **_axes((table[attrs.axis],), (entry,)),
    }


def _gather_nd(node: BoundNode) -> Params:
    table, indices, width = node.input(0).shape, node.input(1).shape, _width(node)
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
