"""What kernels that resize images share."""

from __future__ import annotations

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.resize import spatial_sizes


def image_sizes(node: BoundNode) -> Params:
    """Of one image."""
    (height, out_height), (width, out_width) = spatial_sizes(node)
    return {
        "input_h": height,
        "input_w": width,
        "output_h": out_height,
        "output_w": out_width,
    }


def pixel_bytes(node: BoundNode) -> int:
    """Of all channels."""
    return node.output.shape[3] * (node.output.bytes // node.output.elements)


def upward_overlap(node: BoundNode, rows: IntArray, columns: IntArray, rereads: bool) -> int | None:
    """Kernel.overlap where output pixels, in order, are made of input pixels from (rows[y], columns[x]) on.

    rows, columns: of one image; ascending. rereads: whether each row of the output reads the input anew,
    or only the first of those that have the same row.
    """
    batch, _, width, _ = node.input(0).shape
    if batch != 1:
        return None
    out_width, nearest = node.output.shape[2], 0
    for y, row in enumerate(rows.tolist()):
        if not rereads and y and rows[y - 1] == row:
            continue
        for x, column in enumerate(columns.tolist()):
            nearest = max(nearest, y * out_width + x + 1 - (row * width + column))
        again = rereads and y + 1 < len(rows) and rows[y + 1] == row
        nearest = max(nearest, (y + 1) * out_width - row * width) if again else nearest
    return nearest * pixel_bytes(node)
