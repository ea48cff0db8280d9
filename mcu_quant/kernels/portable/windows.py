"""What kernels over height and width share."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.ops.windows import WindowAxes, WindowAxis


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
