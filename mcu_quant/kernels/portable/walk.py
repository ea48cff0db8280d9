"""Parameters of kernels that go through rows as templates/kernels/mq_walk.h does."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Shape
from mcu_quant.ops.broadcast import walk

Params = dict[str, int | float | tuple[int, ...]]


def walk_params(node: BoundNode, labels: Sequence[str]) -> Params:
    """rows, columns, sizes, and <label>_steps and <label>_stride for each operand."""
    shapes = tuple(tensor.shape for tensor in node.inputs if tensor is not None)
    path = walk(node.output.shape, shapes)
    params: Params = row_params(path.sizes)
    for label, strides in zip(labels, path.strides, strict=True):
        params[f"{label}_steps"] = row_steps(path.sizes, strides)
        params[f"{label}_stride"] = strides[-1]
    return params


def row_params(sizes: Shape) -> Params:
    return {"rows": math.prod(sizes[:-1]), "columns": sizes[-1], "sizes": sizes[:-1]}


def row_steps(sizes: Shape, strides: Shape) -> tuple[int, ...]:
    """By how much a position changes when an outer axis moves on and those behind it restart."""
    back = [(size - 1) * stride for size, stride in zip(sizes, strides, strict=True)]
    outer = len(sizes) - 1
    return tuple(strides[axis] - sum(back[axis + 1 : outer]) for axis in range(outer))


def element_bytes(tensor: Tensor) -> int:
    return tensor.bytes // tensor.elements


def in_place(node: BoundNode) -> tuple[int | None, ...]:
    """Kernel.overlap where each element is read when its output is written; repeated operands are not."""
    return tuple(0 if _is_read_once(tensor, node.output) else None for tensor in node.inputs)


def _is_read_once(tensor: Tensor | None, output: Tensor) -> bool:
    return tensor is not None and not tensor.is_constant and tensor.elements == output.elements
