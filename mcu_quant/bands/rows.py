"""Operators that map rows to rows, and their nodes for some rows of an image."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.bands.schedule import Reach
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.binary import BinaryOperator
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.pooling import Pool2D, pool_axes
from mcu_quant.ops.ranges import QUANTIZED
from mcu_quant.ops.unary import UnaryOperator
from mcu_quant.ops.windows import BandPadding, WindowAxis


def row_reaches(node: BoundNode) -> tuple[Reach | None, ...] | None:
    """For each input, how rows of the output reach into it (None for a constant one).

    None if the operator does not map rows of an image [1, H, W, C] of integers to rows of another.
    """
    variable = [tensor for tensor in node.inputs if tensor is not None and not tensor.is_constant]
    if not variable or len(node.outputs) != 1 or not all(map(_is_image, [*variable, node.output])):
        return None
    axis = window_of(node)
    if axis is not None:
        span = (axis.filter_size - 1) * axis.dilation + 1
        reach = Reach(axis.input_size, axis.stride, axis.before, span)
        return tuple(None if t is None or t.is_constant else reach for t in node.inputs)
    if not isinstance(OPERATORS[node.node.op], (UnaryOperator, BinaryOperator)):
        return None
    if any(tensor.shape != node.output.shape for tensor in variable):
        return None
    constants = [tensor for tensor in node.inputs if tensor is not None and tensor.is_constant]
    if any(len(tensor.shape) >= 3 and tensor.shape[-3] != 1 for tensor in constants):
        return None
    same = Reach(node.output.shape[1])
    return tuple(None if t is None or t.is_constant else same for t in node.inputs)


def window_of(node: BoundNode) -> WindowAxis | None:
    """The window along height, of the operators that have one."""
    if node.node.op in ("conv_2d", "depthwise_conv_2d"):
        return axes_of(node)[0]
    return pool_axes(node)[0] if isinstance(OPERATORS[node.node.op], Pool2D) else None


def band_node(node: BoundNode, reads: tuple[range | None, ...], made: range) -> BoundNode:
    """The node that makes those rows of its output from those rows of its inputs (None: constant)."""
    inputs = tuple(
        tensor if rows is None or tensor is None else _with_rows(tensor, rows)
        for tensor, rows in zip(node.inputs, reads, strict=True)
    )
    band = replace(node, inputs=inputs, outputs=(_with_rows(node.output, made),))
    axis = window_of(node)
    if axis is None:
        return band
    (rows,) = (rows for rows in reads if rows is not None)
    before = rows.start - (made.start * axis.stride - axis.before)
    window = replace(axis, input_size=len(rows), before=max(before, 0), output_size=len(made))
    padding = node.attrs.padding
    across = padding.padding if isinstance(padding, BandPadding) else padding  # what streams has some already
    attrs = replace(node.attrs, padding=BandPadding(across, window, axis))
    return replace(band, node=replace(node.node, attrs=attrs))


def row_bytes(tensor: Tensor) -> int:
    return tensor.bytes // tensor.shape[1]


def _is_image(tensor: Tensor) -> bool:
    return len(tensor.shape) == 4 and tensor.shape[0] == 1 and tensor.dtype in QUANTIZED


def _with_rows(tensor: Tensor, rows: range) -> Tensor:
    return replace(tensor, shape=(1, len(rows), *tensor.shape[2:]))
