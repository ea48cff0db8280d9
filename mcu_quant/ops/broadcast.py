"""Shapes of broadcasting operators: which axes are walked together, and how operands follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, Shape
from mcu_quant.ops.forms import FORMS

#: Axes that the C kernels walk, once adjacent axes that broadcast alike are merged.
MAX_AXES = 5


def broadcast_shape(*shapes: Shape) -> Shape:
    """NumPy's rule, which is TFLite's. Raises ValueError if the shapes do not fit."""
    return tuple(int(size) for size in np.broadcast_shapes(*shapes))


@dataclass(frozen=True)
class Walk:
    """sizes: the output's axes, outermost first, MAX_AXES of them.

    strides: for each operand, how far it moves per step along each axis, in elements; 0 where it is
    repeated.
    """

    sizes: Shape
    strides: tuple[Shape, ...]


def merged_axes(output: Shape, operands: tuple[Shape, ...]) -> list[tuple[int, tuple[bool, ...]]]:
    """(size, which operands move) for the output's axes; neighbours that move the same operands are one."""
    merged: list[tuple[int, tuple[bool, ...]]] = []
    for axis, size in enumerate(output):
        moves = tuple(_size(shape, axis - len(output)) == size for shape in operands)
        if size == 1:
            continue
        if merged and merged[-1][1] == moves:
            merged[-1] = (merged[-1][0] * size, moves)
        else:
            merged.append((size, moves))
    return merged


def walk(output: Shape, operands: tuple[Shape, ...]) -> Walk:
    """How a kernel goes through operands that broadcast to the output's shape."""
    axes = merged_axes(output, operands)
    axes = [(1, (True,) * len(operands))] * (MAX_AXES - len(axes)) + axes
    strides = []
    for index in range(len(operands)):
        stride, along = 1, []
        for size, moves in reversed(axes):
            along.append(stride if moves[index] else 0)
            stride *= size if moves[index] else 1
        strides.append(tuple(reversed(along)))
    return Walk(tuple(size for size, _ in axes), tuple(strides))


def _size(shape: Shape, axis: int) -> int:
    """The size along an axis counted from the end (-1 is the last)."""
    return shape[axis] if -axis <= len(shape) else 1


def _operand_shapes(node: BoundNode) -> tuple[Shape, ...]:
    return tuple(tensor.shape for tensor in node.inputs if tensor is not None)


BROADCASTS = Constraint(
    f"operands must broadcast along at most {MAX_AXES} groups of axes",
    lambda node: len(merged_axes(node.output.shape, _operand_shapes(node))) <= MAX_AXES,
    lambda node: " and ".join(map(str, _operand_shapes(node))),
    "reshape the operands",
    forms=FORMS,
)
