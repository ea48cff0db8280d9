"""Depthwise convolution with small filters on Helium: patches of 4 x 4, gathered from interleaved rows."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.mve import patches, requantize
from mcu_quant.kernels.mve.patches import CHUNK, Patches
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier

_PATCH = 4
#: Strips are done together as long as their buffer is no larger.
_BUFFER_BYTES = 3072


class DepthwiseConv2DS8Mve(Kernel):
    name = "depthwise_conv_2d_s8_mve"
    family = "mve"
    ops = ("depthwise_conv_2d",)

    def refusal(self, node: BoundNode) -> str | None:
        height, width = axes_of(node)
        x = node.input(0)
        if depth_multiplier(node) != 1:
            return "a depth multiplier of 1 only"
        if max(height.dilation, width.dilation) > 1:
            return "no dilation"
        if max(height.filter_size, width.filter_size) > _PATCH:
            return f"filters of at most {_PATCH} x {_PATCH}"
        if x.shape[3] < CHUNK and x.shape[2] * x.shape[3] < CHUNK:
            return "at least 16 channels, or rows of 16 bytes"
        if patches.far(_shape(node)):
            return "the output's rows are too long, or the stride too large"
        return requantize.requantization_refusal(node)

    def call(self, node: BoundNode) -> KernelCall:
        shape, x = _shape(node), node.input(0)
        height, width = axes_of(node)
        channels, row = x.shape[3], x.shape[2] * x.shape[3]
        narrow = channels < CHUNK
        params = {
            "input_h": x.shape[1],
            "input_row": row,
            "channels": channels,
            "chunk": shape.channels,
            "stride_h": height.stride,
            "padding_h": height.before,
            "padding_words": width.before,
            "input_zero_point": x.zero_point,
            "output_h": node.output.shape[1],
            "strips": _strips(node, shape),
            "vectors": row // CHUNK if narrow else x.shape[2],
            "step": _step(node),
            "rest": row % CHUNK if narrow else 0,
            "strip_rows": shape.rows,
            "tile": shape.tile,
            "tile_words": shape.tile_words,
            "columns": shape.columns,
            "strip_words": shape.strip_words,
            "output_zero_point": shape.output.zero_point,
            "activation_min": shape.output.low,
            "activation_max": shape.output.high,
        }
        arguments = (
            Activation(x.name),
            Constant("packed", patches.packed(node, _filters(node))),
            patches.interleave(_step(node), channels % 4 == 0),
            patches.function(shape),
            Scratch(),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        shape, x = _shape(node), node.input(0)
        buffer = _strips(node, shape) * shape.strip_words * shape.word_bytes
        return -(-x.shape[2] * x.shape[3] // 4) * 4 + buffer

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """A block of strips writes its rows of some channels before it reads those of the next channels."""
        shape, x = _shape(node), node.input(0)
        height, _ = axes_of(node)
        row, least = x.shape[2] * x.shape[3], -x.bytes
        for first, strips in _blocks(node, shape):
            unread = max(first * height.stride - height.before, 0) * row
            least = max(least, (first + strips * shape.rows) * shape.output_row - unread)
        return (least, *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """The assembly's; a strip and its vectors, interleaved, fitted to docs/benchmarks.json."""
        shape, x = _shape(node), node.input(0)
        blocks = _blocks(node, shape)
        strips = sum(count for _, count in blocks)
        whole, rest = divmod(x.shape[3], shape.channels)
        counts = [shape.channels] * whole + ([rest] if rest else [])
        vectors = x.shape[2] * shape.channels / CHUNK
        inner = sum(patches.cycles(shape, strips, len(blocks), count) for count in counts)
        return 750 + inner + len(counts) * strips * (124 + 17.5 * vectors)


def _shape(node: BoundNode) -> Patches:
    height, width = axes_of(node)
    x, y = node.input(0), node.output
    small = max(height.filter_size, width.filter_size) < _PATCH and height.stride == width.stride == 1
    tiled = small and min(y.shape[1:3]) > 1
    # The last patch is read as a whole.
    reach = y.shape[2] - 2 if tiled else (y.shape[2] - 1) * width.stride
    return Patches(
        rows=2 if tiled else 1,
        tile=2 if tiled else 1,
        tile_words=2 if tiled else width.stride,
        columns=y.shape[2],
        channels=min(x.shape[3], CHUNK),
        strip_words=max(reach + _PATCH, width.before + x.shape[2]),
        output_column=x.shape[3],
        output_row=y.shape[2] * x.shape[3],
        output=requantize.output_of(node),
    )


def _strips(node: BoundNode, shape: Patches) -> int:
    """How many are done together."""
    fit = _BUFFER_BYTES // (shape.strip_words * shape.word_bytes)
    return max(1, min(fit, node.output.shape[1] // shape.rows))


def _blocks(node: BoundNode, shape: Patches) -> list[tuple[int, int]]:
    """(first output row, strips) of each block; a last row alone is done with the one before."""
    blocks, row, height = [], 0, node.output.shape[1]
    while row < height:
        strips = min(_strips(node, shape), (height - row) // shape.rows)
        if strips == 0:
            row, strips = height - shape.rows, 1
        blocks.append((row, strips))
        row += strips * shape.rows
    return blocks


def _step(node: BoundNode) -> int:
    """From one vector of a row to the next: pixels of 16 channels, or just 16 bytes of narrower ones."""
    return max(node.input(0).shape[3], CHUNK)


def _filters(node: BoundNode) -> np.ndarray:
    """[channels, 16]: columns of 4 weights, as words are."""
    data = node.input(1).data
    assert data is not None
    _, filter_h, filter_w, channels = data.shape
    filters = np.zeros((channels, _PATCH, _PATCH), np.int8)
    filters[:, :filter_w, :filter_h] = data[0].transpose(2, 1, 0)
    return filters.reshape(channels, -1)


KERNEL = DepthwiseConv2DS8Mve()
