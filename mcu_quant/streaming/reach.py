"""Which rows along time each row of a node's output is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcu_quant.ir import BoundNode
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.arg_extremum import ArgExtremum
from mcu_quant.ops.base import Shape
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.pooling import Pool2D, pool_axes
from mcu_quant.ops.reduction import Reduction
from mcu_quant.ops.windows import WindowAxes

#: The time axis of each input that has one, by position.
Axes = Mapping[int, int]


@dataclass(frozen=True)
class Reach:
    """Row o of the output is made of rows o * stride - before + k * dilation of the inputs, k < taps.

    axis: the output's time axis, None if the output, one row, has lost it.
    """

    axis: int | None
    taps: int = 1
    stride: int = 1
    dilation: int = 1
    before: int = 0

    @property
    def last(self) -> int:
        """The last row that row 0 is made of."""
        return (self.taps - 1) * self.dilation - self.before


def reach_of(node: BoundNode, axes: Axes) -> Reach | None:
    """None if each row is made of all rows, or in a way that is not known here: the node needs the whole.

    What is quantized on the fly (hybrid) is: the scale is that of all rows.
    """
    if form_of(node) == "hybrid" or not axes:
        return None
    operator = OPERATORS[node.node.op]
    if operator.is_elementwise or node.node.op == "lookup":
        return _element_by_element(node, axes)
    if set(axes) != {0} and node.node.op != "concatenation":
        return None
    if isinstance(operator, Reduction):
        return _reduced(node, axes[0])
    if isinstance(operator, ArgExtremum):
        return _without(node.attrs.axis, axes[0])
    if isinstance(operator, Pool2D):
        return _windowed(pool_axes(node), axes[0])
    rule = _RULES.get(node.node.op)
    return None if rule is None else rule(node, axes)


def _element_by_element(node: BoundNode, axes: Axes) -> Reach | None:
    """Operands broadcast: axes count from the last. All that vary in time must do so along one axis."""
    behind = {len(node.input(index).shape) - axis for index, axis in axes.items()}
    if len(behind) != 1:
        return None
    (distance,) = behind
    axis = len(node.output.shape) - distance
    for index, tensor in enumerate(node.inputs):
        if tensor is None or index in axes:
            continue
        if len(tensor.shape) >= distance and tensor.shape[len(tensor.shape) - distance] != 1:
            return None
    return Reach(axis)


def _along_last_axis(node: BoundNode, axes: Axes) -> Reach | None:
    return Reach(axes[0]) if axes[0] != len(node.input(0).shape) - 1 else None


def _fully_connected(node: BoundNode, axes: Axes) -> Reach | None:
    shape, axis = node.input(0).shape, axes[0]
    if axis == len(shape) - 1 or node.input(1).shape[1] != shape[-1]:
        return None
    if node.attrs.keep_num_dims:
        return Reach(axis)
    return Reach(0) if math.prod(shape[:-1]) == shape[axis] else None


def _windowed(window: WindowAxes, axis: int) -> Reach | None:
    """Along height or width; padding along the other one must be such that it can stay (rows.py)."""
    if axis not in (1, 2):
        return None
    along, other = window[axis - 1], window[2 - axis]
    if axis == 2 and (other.before or other.after):
        return None
    return Reach(axis, along.filter_size, along.stride, along.dilation, along.before)


def _convolution(node: BoundNode, axes: Axes) -> Reach | None:
    return _windowed(axes_of(node), axes[0])


def _reshape(node: BoundNode, axes: Axes) -> Reach | None:
    axis = kept_axis(node.input(0).shape, axes[0], node.output.shape)
    return None if axis is None else Reach(axis)


def kept_axis(shape: Shape, axis: int, reshaped: Shape) -> int | None:
    """Where that axis is in the other shape, behind as many elements; None if it is split or merged."""
    outer = math.prod(shape[:axis])
    for other, size in enumerate(reshaped):
        if size == shape[axis] and math.prod(reshaped[:other]) == outer:
            return other
    return None


def _transpose(node: BoundNode, axes: Axes) -> Reach | None:
    return Reach(node.attrs.permutation.index(axes[0]))


def _concatenation(node: BoundNode, axes: Axes) -> Reach | None:
    """All inputs vary in time, along one axis that is not the one they are joined along."""
    found = set(axes.values())
    if len(axes) != len(node.inputs) or len(found) != 1 or node.attrs.axis in found:
        return None
    return Reach(found.pop())


def _pad(node: BoundNode, axes: Axes) -> Reach | None:
    return Reach(axes[0], before=node.attrs.paddings[axes[0]][0])


def _mirror_pad(node: BoundNode, axes: Axes) -> Reach | None:
    return Reach(axes[0]) if node.attrs.paddings[axes[0]] == (0, 0) else None


def _strided_slice(node: BoundNode, axes: Axes) -> Reach | None:
    attrs, axis = node.attrs, axes[0]
    if attrs.strides[axis] < 0:
        return None
    gone = sum(other < axis for other in attrs.dropped)
    left = None if axis in attrs.dropped else axis - gone
    return Reach(left, stride=attrs.strides[axis], before=-attrs.begin[axis])


def _reduced(node: BoundNode, axis: int) -> Reach | None:
    if axis in node.attrs.axes:
        return None
    return Reach(axis if node.attrs.keepdims else axis - sum(other < axis for other in node.attrs.axes))


def _without(dropped: int, axis: int) -> Reach | None:
    """The reach of what drops one axis."""
    return None if dropped == axis else Reach(axis - (dropped < axis))


_RULES: Mapping[str, Callable[[BoundNode, Axes], Reach | None]] = {
    "softmax": _along_last_axis,
    "log_softmax": _along_last_axis,
    "l2_normalization": _along_last_axis,
    "fully_connected": _fully_connected,
    "conv_2d": _convolution,
    "depthwise_conv_2d": _convolution,
    "reshape": _reshape,
    "transpose": _transpose,
    "concatenation": _concatenation,
    "pad": _pad,
    "mirror_pad": _mirror_pad,
    "strided_slice": _strided_slice,
}
