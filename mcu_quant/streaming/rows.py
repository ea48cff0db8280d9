"""Nodes for some rows along time, of what the window model computes for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mcu_quant.ir import BoundNode
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.pooling import Pool2D, pool_axes
from mcu_quant.ops.windows import BandPadding, WindowAxes, WindowAxis
from mcu_quant.streaming.frames import Taps
from mcu_quant.streaming.reach import Reach

#: Operators whose windows may have gaps.
DILATED = ("conv_2d", "depthwise_conv_2d")


def window_axes_of(node: BoundNode) -> WindowAxes | None:
    """Height's and width's, of the operators that have a window."""
    if node.node.op in DILATED:
        return axes_of(node)
    return pool_axes(node) if isinstance(OPERATORS[node.node.op], Pool2D) else None


def only_picks_rows(node: BoundNode, axis: int) -> bool:
    """Whether its output is rows of its input as they are: a border or a cut along the time axis alone."""
    if node.node.op in ("pad", "mirror_pad"):
        return not any(any(border) for other, border in enumerate(node.attrs.paddings) if other != axis)
    if node.node.op != "strided_slice" or node.attrs.dropped:
        return False
    strides = _changed(node.attrs.strides, axis, 1)
    sizes = _changed(node.attrs.sizes, axis, node.input(0).shape[axis])
    return sizes == node.input(0).shape and set(strides) == {1}


def attrs_for_rows(node: BoundNode, axis: int, reach: Reach, taps: Taps, rows: int) -> Any:
    """The attributes with which it makes `taps.made` rows of so many, which hold what it reads, no padding.

    axis: the input's time axis.
    """
    attrs, op = node.attrs, node.node.op
    if window_axes_of(node) is not None:
        return _windowed(node, axis, taps, rows)
    if op == "reshape":
        assert reach.axis is not None
        return replace(attrs, shape=_changed(attrs.shape, reach.axis, taps.made))
    if op in ("pad", "mirror_pad"):
        return replace(attrs, paddings=_changed(attrs.paddings, axis, (0, 0)))
    if op == "strided_slice":
        return replace(
            attrs,
            begin=_changed(attrs.begin, axis, 0),
            strides=_changed(attrs.strides, axis, 1),
            sizes=_changed(attrs.sizes, axis, taps.made),
        )
    return attrs


def _windowed(node: BoundNode, axis: int, taps: Taps, rows: int) -> Any:
    """Without padding along time. Padding along the other axis stays; it is along width, if there is any."""
    window = window_axes_of(node)
    assert window is not None
    along, other = window[axis - 1], window[2 - axis]
    attrs = replace(node.attrs, strides=_changed(node.attrs.strides, axis - 1, taps.stride))
    if node.node.op in DILATED:
        attrs = replace(attrs, dilation=_changed(attrs.dilation, axis - 1, taps.dilation))
    if not (other.before or other.after):
        return replace(attrs, padding="valid")
    assert axis == 1, node.name
    own = WindowAxis(rows, along.filter_size, taps.stride, taps.dilation, 0, taps.made)
    return replace(attrs, padding=BandPadding(node.attrs.padding, own, own))


def _changed(values: tuple[Any, ...], index: int, value: Any) -> tuple[Any, ...]:
    return (*values[:index], value, *values[index + 1 :])
