"""A linear operator as a product: rows of taps times rows of weights, for repairs of single weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops import transpose_conv
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.windows import images, sample_chunks, transposed_columns, window_columns

#: Rows of all samples together, at most about.
_MAX_ROWS = 2**13


def weight_rows(node: BoundNode, weights: np.ndarray) -> np.ndarray:
    """Weights in the node's layout as [groups, outputs of a group, taps]; a view or a copy."""
    if node.node.op == "fully_connected":
        return weights[None]
    if node.node.op == "depthwise_conv_2d":
        channels = node.input(0).shape[-1]
        return weights[0].reshape(-1, channels, weights.shape[3] // channels).transpose(1, 2, 0)
    groups = node.input(0).shape[-1] // weights.shape[3]
    return weights.reshape(groups, len(weights) // groups, -1)


def from_weight_rows(node: BoundNode, rows: np.ndarray) -> np.ndarray:
    """The inverse of weight_rows."""
    shape = node.input(1).shape
    if node.node.op == "depthwise_conv_2d":
        return rows.transpose(2, 0, 1).reshape(shape)
    return rows.reshape(shape)


def tap_rows(node: BoundNode, *xs: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Chunks of rows [groups, n, taps], the same ones of each x [N, *input shape].

    Evenly spread positions of each sample where all of them would be too many.
    """
    positions = node.output.elements // node.output.shape[-1]
    step = max(1, -(-len(xs[0]) * positions // _MAX_ROWS))
    parts = sample_chunks(len(xs[0]), positions * node.input(1).elements // node.output.shape[-1])
    for index, part in enumerate(parts):
        yield tuple(_rows(node, x[part], index % step, step) for x in xs)


def _rows(node: BoundNode, x: np.ndarray, first: int, step: int) -> np.ndarray:
    weights = node.input(1).shape
    if node.node.op == "fully_connected":
        return x.reshape(1, -1, weights[1])[:, first::step]
    x = images(x, node.input(0).shape)
    if node.node.op == "transpose_conv":
        columns = transposed_columns(x, transpose_conv.axes_of(node))
    else:
        columns = window_columns(x, axes_of(node))
    n, height, width, rows, cols, channels = columns.shape
    flat = columns.reshape(n * height * width, rows * cols, channels)[first::step]
    if node.node.op == "depthwise_conv_2d":
        return flat.transpose(2, 0, 1)
    groups = channels // weights[3]
    grouped = flat.reshape(len(flat), rows * cols, groups, weights[3])
    return grouped.transpose(2, 0, 1, 3).reshape(groups, len(flat), -1)
