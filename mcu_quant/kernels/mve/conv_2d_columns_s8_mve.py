"""Convolution with tall, narrow windows on Helium: columns of windows in the scratch, as one run each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.mve import conv_2d_s8_mve, dots, requantize
from mcu_quant.kernels.mve.dots import VECTOR, Dots
from mcu_quant.ops.conv_2d import axes_of

#: Of the filter: longer rows are as fast in a ring, and more of them too long a run.
_MOST_ROW_BYTES, _MOST_RUN_BYTES = 12, 256


@dataclass(frozen=True)
class _Geometry:
    """In bytes. filter_row: rounded up to words. column: of windows. padded_row: of the input.

    classes: outputs so many rows apart are done together: their windows start whole vectors apart.
    """

    filter_row: int
    column: int
    padded_row: int
    classes: int
    dots: Dots


class Conv2DColumnsS8Mve(Kernel):
    name = "conv_2d_columns_s8_mve"
    family = "mve"
    ops = ("conv_2d", "depthwise_conv_2d")

    def refusal(self, node: BoundNode) -> str | None:
        height, width = axes_of(node)
        row = width.filter_size * node.input(0).shape[3]
        if row > _MOST_ROW_BYTES or height.filter_size * row > _MOST_RUN_BYTES:
            return f"filter rows of at most {_MOST_ROW_BYTES} bytes, {_MOST_RUN_BYTES} in all"
        return conv_2d_s8_mve.KERNEL.refusal(node)

    def call(self, node: BoundNode) -> KernelCall:
        shape, x = _geometry(node), node.input(0)
        height, width = axes_of(node)
        inner = shape.dots
        params = {
            "input_h": x.shape[1],
            "input_row": x.shape[2] * x.shape[3],
            "stride_h": height.stride,
            "padding_h": height.before,
            "padding_row": width.before * x.shape[3],
            "padded_row": shape.padded_row,
            "stride_row": width.stride * x.shape[3],
            "filter_row": shape.filter_row,
            "column": shape.column,
            "input_zero_point": x.zero_point,
            "output_h": node.output.shape[1],
            "output_w": node.output.shape[2],
            "classes": shape.classes,
            "pixels": inner.pixels,
            "channels": inner.channels,
            "vectors": len(inner.offsets),
            "output_zero_point": inner.output.zero_point,
            "activation_min": inner.output.low,
            "activation_max": inner.output.high,
        }
        arguments = (
            Activation(x.name),
            Constant("packed", _packed(node, shape)),
            dots.function(inner),
            Scratch(),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        shape = _geometry(node)
        return shape.padded_row + node.output.shape[2] * shape.column

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """The whole input is read before anything is written."""
        return (-node.input(0).bytes, *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        shape, (_, rows, columns, _) = _geometry(node), node.output.shape
        counts = [-(-(rows - first) // shape.classes) for first in range(shape.classes)]
        groups = sum(-(-count // shape.dots.pixels) for count in counts)
        calls = sum(2 if count % shape.dots.pixels else 1 for count in counts)
        fill = node.input(0).shape[1] * (30 + columns * (6 + shape.filter_row / 2))
        return fill + dots.cycles(shape.dots, columns * groups, columns * calls)


def _geometry(node: BoundNode) -> _Geometry:
    height, width = axes_of(node)
    x, y = node.input(0), node.output
    filter_row = -(-width.filter_size * x.shape[3] // 4) * 4
    window = height.stride * filter_row
    classes = VECTOR // window if VECTOR % window == 0 else 1
    classes = min(classes, y.shape[1])
    offsets = tuple(range(0, height.filter_size * filter_row, VECTOR))
    rows = max(height.before + x.shape[1], (y.shape[1] - 1) * height.stride + height.filter_size)
    reach = (y.shape[1] - 1) * window + offsets[-1] + VECTOR
    last = (y.shape[2] - 1) * width.stride * x.shape[3] + filter_row
    inner = Dots(
        pixels=1,
        channels=y.shape[3],
        rows=1,
        offsets=offsets,
        vector_bytes=VECTOR,
        aligned=True,
        pixel_input=classes * window,
        pixel_output=classes * y.shape[2] * y.shape[3],
        output=requantize.output_of(node),
    )
    return _Geometry(
        filter_row=filter_row,
        column=max(rows * filter_row, reach),
        padded_row=-(-max((width.before + x.shape[2]) * x.shape[3], last) // 4) * 4,
        classes=classes,
        dots=dots.with_best_pixels(inner, y.shape[1] // classes),
    )


def _packed(node: BoundNode, shape: _Geometry) -> np.ndarray:
    weights = conv_2d_s8_mve.ohwi(node)
    channels, filter_h = weights.shape[:2]
    rows = weights.reshape(channels, filter_h, -1)
    run = np.zeros((channels, len(shape.dots.offsets) * VECTOR), np.int8)
    run[:, : filter_h * shape.filter_row].reshape(channels, filter_h, -1)[:, :, : rows.shape[2]] = rows
    vectors = run.reshape(channels, 1, -1, VECTOR)
    return dots.packed(node, shape.dots, weights.reshape(channels, -1), vectors)


KERNEL = Conv2DColumnsS8Mve()
