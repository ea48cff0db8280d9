"""What kernels of linear operators share: sizes and steps of windows, and how far the output may reach."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier
from mcu_quant.ops.windows import WindowAxes, WindowAxis


def convolution_params(node: BoundNode, *without: str) -> Params:
    """The sizes of a convolution, from input_h to padding_w, in the order of the C structs.

    without: the fields that a kernel has no use for.
    """
    weights, sizes = node.input(1), _sizes(node)
    channels = {name: sizes.pop(name) for name in ("output_h", "output_w", "output_channels")}
    params = sizes | {"filter_channels": weights.shape[3]} | channels | window_steps(node)
    return {name: value for name, value in params.items() if name not in without}


def depthwise_params(node: BoundNode) -> Params:
    """The sizes of a depthwise convolution, from input_h to padding_w, in the order of the C structs."""
    return _sizes(node) | {"depth_multiplier": depth_multiplier(node)} | window_steps(node)


def _sizes(node: BoundNode) -> Params:
    x, y, weights = node.input(0), node.output, node.input(1)
    return {
        "input_h": x.shape[1],
        "input_w": x.shape[2],
        "input_channels": x.shape[3],
        "filter_h": weights.shape[1],
        "filter_w": weights.shape[2],
        "output_h": y.shape[1],
        "output_w": y.shape[2],
        "output_channels": y.shape[3],
    }


def window_steps(node: BoundNode) -> Params:
    """How the window of a linear operator moves and lies, from stride_h to padding_w."""
    height, width = axes_of(node)
    return {
        "stride_h": height.stride,
        "stride_w": width.stride,
        "dilation_h": height.dilation,
        "dilation_w": width.dilation,
        "padding_h": height.before,
        "padding_w": width.before,
    }


def linear_overlap(node: BoundNode) -> tuple[int | None, ...]:
    """Kernel.overlap of a linear operator that walks output rows upward; of its constants, nothing."""
    return (row_overlap(node, axes_of(node)), *(None for _ in node.inputs[1:]))


def dense_overlap(node: BoundNode) -> tuple[int | None, ...]:
    """Kernel.overlap of a fully connected or pointwise node whose output rows are written one by one.

    While row r is written, row r of the input is still read. The first row or the last one decides.
    """
    rows = node.input(0).elements // node.input(1).shape[-1]
    row_in, row_out = node.input(0).bytes // rows, node.output.bytes // rows
    least = max((row + 1) * row_out - row * row_in for row in (0, rows - 1))
    return (least, *(None for _ in node.inputs[1:]))


def row_overlap(node: BoundNode, axes: WindowAxes) -> int:
    """The least address(input) - address(output) for a kernel that walks output rows upward.

    While it writes output row y it still reads input rows from the window's first one on, so
    the end of row y must not pass the start of that row, for every y.
    """
    height, _ = axes
    input_row = node.input(0).bytes // node.input(0).shape[1]
    output_row = node.output.bytes // node.output.shape[1]
    return max(
        (row + 1) * output_row - max(row * height.stride - height.before, 0) * input_row
        for row in range(height.output_size)
    )


def whole_windows(axis: WindowAxis) -> tuple[int, int]:
    """(the first output whose window is inside the input, how many there are)."""
    whole = [
        index
        for index in range(axis.output_size)
        if 0 <= index * axis.stride - axis.before <= axis.input_size - axis.filter_size
    ]
    return (whole[0], len(whole)) if whole else (0, 0)
