"""Convolution and fully connected on thumb-1: two output channels share each product.

Input is laid out as words, a column of the image after the other, so that each window is one run of
words whatever its size and stride. Weights take twice their bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.thumb1.dot import (
    CHANNELS,
    dot_function,
    expand_function,
    expanded_channels,
    pair_weights,
    pairs_fit,
    unrolled_pairs,
)
from mcu_quant.kernels.thumb1.requantize import Form, form_of
from mcu_quant.ops import conv_2d
from mcu_quant.ops.windows import WindowAxis

#: Scratch that pixels of a 1x1 convolution may share; one pixel may take more.
_BLOCK_BYTES = 2048
#: Where a window has no more taps than this, outputs come from a clamp table.
_MOST_TAPS_WITH_TABLE = 72


@dataclass(frozen=True)
class Geometry:
    """The node as a convolution. A 1x1 convolution or fully connected is one row of pixels."""

    height: WindowAxis
    width: WindowAxis
    input_channels: int
    output_channels: int
    block_w: int

    @property
    def column(self) -> int:
        """Words of a column of the strip."""
        return self.height.filter_size * self.input_channels

    @property
    def taps(self) -> int:
        """Of a window, made even."""
        return (self.width.filter_size * self.column + 1) // 2 * 2

    @property
    def strip_words(self) -> int:
        odd = self.width.filter_size * self.column % 2
        return ((self.block_w - 1) * self.width.stride + self.width.filter_size) * self.column + odd

    def blocks_of(self, pixels: int) -> list[tuple[int, int]]:
        """For each so many output pixels of a row: the first one, the index of the first byte it reads."""
        h, w = self.height, self.width
        return [
            (
                y * w.output_size + x,
                (max(y * h.stride - h.before, 0) * w.input_size + max(x * w.stride - w.before, 0))
                * self.input_channels,
            )
            for y in range(h.output_size)
            for x in range(0, w.output_size, pixels)
        ]

    def overlap(self, pixels: int) -> int:
        """The least address(input) - address(output) where so many pixels are read before any is written:
        outputs must not reach what is read later."""
        end, least, later_start = self.height.output_size * self.width.output_size, 0, None
        for first, start in reversed(self.blocks_of(pixels)):
            if later_start is not None:
                least = max(least, end * self.output_channels - later_start)
            later_start = start if later_start is None else min(start, later_start)
            end = first
        return least


class Conv2DPairsS8(Kernel):
    name = "conv_2d_pairs_s8"
    family = "thumb1"
    ops = ("conv_2d", "fully_connected", "depthwise_conv_2d")
    modes = ("time",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.node.op == "depthwise_conv_2d" and node.input(0).shape[3] != 1:
            return "a depthwise convolution must have one input channel"
        if node.node.op == "conv_2d" and node.input(1).shape[3] != node.input(0).shape[3]:
            return "a convolution must have one group"
        if node.node.op != "fully_connected" and node.attrs.dilation != (1, 1):
            return "dilation must be 1"
        if not pairs_fit(_rows(node)):
            return "two neighbouring weights must not both be -128"
        form = form_of(node)
        if form is None or len(form.exact) * 8 > node.output.shape[-1]:
            return "most output channels must have a proven short requantization"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        geometry, form = geometry_of(node), _form(node)
        with_table = _with_table(geometry, form)
        gap = geometry.column - geometry.input_channels
        step = expanded_channels(geometry.input_channels, gap)
        height, width = geometry.height, geometry.width
        params = {
            "input_h": height.input_size,
            "input_w": width.input_size,
            "input_channels": geometry.input_channels,
            "filter_h": height.filter_size,
            "filter_w": width.filter_size,
            "output_h": height.output_size,
            "output_w": width.output_size,
            "output_channels": geometry.output_channels,
            "stride_h": height.stride,
            "stride_w": width.stride,
            "padding_h": height.before,
            "padding_w": width.before,
            "input_zero_point": node.input(0).zero_point,
            "block_w": geometry.block_w,
            "expanded_channels": step,
            "table_lowest": form.table_lowest if with_table else 0,
            "exact_channels": len(form.exact),
            **form.params(),
        }
        arguments = (
            Activation(node.input(0).name),
            Constant("weights", pair_weights(_rows(node), form.constants)),
            Constant("table", form.table if with_table else np.zeros(1, np.int8)),
            Constant("exact", form.exact if len(form.exact) else np.zeros((1, 4), np.int32)),
            dot_function(form, geometry.taps, geometry.output_channels, with_table),
            expand_function(step, gap),
            Scratch(),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        return 4 * geometry_of(node).strip_words

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        geometry = geometry_of(node)
        return (geometry.overlap(geometry.block_w), *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """8 products, four outputs, a pixel, a word of the strip: fitted to docs/benchmarks.json."""
        geometry, form = geometry_of(node), _form(node)
        pixels = geometry.height.output_size * geometry.width.output_size
        pairs = geometry.taps // 2
        rounds = pairs // unrolled_pairs(pairs)
        output = 4.2 * (form.digits - 2) + 3.6 * form.short.is_signed
        output += 0 if _with_table(geometry, form) else 6.6
        quad = 20.5 * pairs + 7.5 * (rounds > 1) * rounds + 4 * output + 74
        words = len(geometry.blocks_of(geometry.block_w)) * geometry.strip_words
        exact = len(form.exact) * pixels * (33.0 * geometry.taps + 77)
        quads = -(-geometry.output_channels // CHANNELS)
        return 170 + pixels * (quads * quad + 25) + 8.0 * words + exact


def _form(node: BoundNode) -> Form:
    form = form_of(node)
    assert form is not None, node.name
    return form


def _with_table(geometry: Geometry, form: Form) -> bool:
    return geometry.taps <= _MOST_TAPS_WITH_TABLE and form.has_small_table


@lru_cache(maxsize=512)
def geometry_of(node: BoundNode) -> Geometry:
    x, y, weights = node.input(0), node.output, node.input(1)
    if node.node.op == "fully_connected":
        return _row_of_pixels(x.elements // weights.shape[1], weights.shape[1], y.shape[-1])
    height, width = conv_2d.axes_of(node)
    is_point = (height.filter_size, width.filter_size) == (1, 1)
    if is_point and (height.stride, width.stride) == (1, 1):
        return _row_of_pixels(y.elements // y.shape[3], x.shape[3], y.shape[3])
    return Geometry(height, width, x.shape[3], y.shape[3], width.output_size)


def _row_of_pixels(pixels: int, input_channels: int, output_channels: int) -> Geometry:
    one, width = WindowAxis(1, 1, 1, 1, 0, 1), WindowAxis(pixels, 1, 1, 1, 0, pixels)
    block = min(pixels, max(1, _BLOCK_BYTES // (4 * input_channels)))
    return Geometry(one, width, input_channels, output_channels, block)


@lru_cache(maxsize=64)
def _rows(node: BoundNode) -> IntArray:
    """Weights int64 [output channels, taps made even], taps in the strip's order: column, row, channel."""
    weights = node.input(1)
    assert weights.data is not None
    data = weights.data.astype(np.int64)
    if node.node.op == "depthwise_conv_2d":
        data = data.transpose(3, 1, 2, 0)
    if node.node.op != "fully_connected":
        data = data.transpose(0, 2, 1, 3)
    rows = data.reshape(len(data), -1)
    return np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))


KERNEL = Conv2DPairsS8()
