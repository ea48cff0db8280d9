"""What the batch_matmul kernels share: sizes, steps through both operands, how far the output may reach."""

from __future__ import annotations

import math

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.walk import Params, row_steps
from mcu_quant.ops.batch_matmul import MAX_BATCH_AXES, sizes
from mcu_quant.ops.broadcast import walk


def matrix_params(node: BoundNode) -> Params:
    """From batches to b_column, in the order of the C structs; all in elements."""
    a, b = node.input(0).shape, node.input(1).shape
    rows, depth, columns = sizes(node)
    path = walk(node.output.shape[:-2], (a[:-2], b[:-2]))
    batches = path.sizes[-MAX_BATCH_AXES:]
    a_strides, b_strides = (
        tuple(stride * matrix for stride in strides[-MAX_BATCH_AXES:])
        for strides, matrix in zip(path.strides, (rows * depth, depth * columns), strict=True)
    )
    return {
        "batches": math.prod(batches),
        "sizes": batches,
        "a_steps": row_steps((*batches, 1), (*a_strides, 0)),
        "b_steps": row_steps((*batches, 1), (*b_strides, 0)),
        "rows": rows,
        "depth": depth,
        "columns": columns,
        "a_row": 1 if node.attrs.adj_x else depth,
        "a_depth": rows if node.attrs.adj_x else 1,
        "b_depth": 1 if node.attrs.adj_y else columns,
        "b_column": depth if node.attrs.adj_y else 1,
    }


def matrix_overlap(node: BoundNode) -> tuple[int | None, ...]:
    """Kernel.overlap: a row of the first operand is read while one of the output is written; all of the
    second's matrix is read for every row.
    """
    a, y = node.input(0), node.output
    columns = y.shape[-1]
    if a.is_constant or node.attrs.adj_x or a.elements // a.shape[-1] != y.elements // columns:
        return (None, None)
    count = y.elements // columns
    row_in, row_out = a.bytes // count, y.bytes // count
    return (max((row + 1) * row_out - row * row_in for row in (0, count - 1)), None)
