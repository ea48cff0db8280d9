"""Convolution on Helium: 2 channels by up to 4 pixels at once, over a ring of padded rows or in place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.mve import dots, requantize
from mcu_quant.kernels.mve.dots import VECTOR, Dots
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.windows import WindowAxis

_MOST_ROWS = 16
#: Channels of a 1x1 filter that are done at once; more are cut into rows.
_SEGMENT = 256


@dataclass(frozen=True)
class _Geometry:
    """How the windows lie in memory. taps: the filter's width if its taps are whole vectors, else 0."""

    height: WindowAxis
    width: WindowAxis
    depth: int
    taps: int
    ring_row: int
    segment: int
    runs: int
    run_pixels: int
    dots: Dots


class Conv2DS8Mve(Kernel):
    name = "conv_2d_s8_mve"
    family = "mve"
    ops = ("conv_2d", "depthwise_conv_2d")

    def refusal(self, node: BoundNode) -> str | None:
        x, weights, y = node.input(0), node.input(1), node.output
        if node.node.op == "depthwise_conv_2d" and x.shape[3] != 1:
            return "a depthwise convolution must have one input channel to be a convolution"
        if node.node.op == "conv_2d" and weights.shape[3] != x.shape[3]:
            return "one group of channels only"
        if y.shape[3] % 4:
            return "the output channels must be a multiple of 4"
        height, width = axes_of(node)
        if max(height.dilation, width.dilation) > 1:
            return "no dilation"
        if height.filter_size > _MOST_ROWS:
            return f"a filter of at most {_MOST_ROWS} rows"
        return requantize.requantization_refusal(node)

    def call(self, node: BoundNode) -> KernelCall:
        shape = geometry(node)
        inner, x = shape.dots, node.input(0)
        params = {
            "input_h": x.shape[1],
            "input_row": x.shape[2] * x.shape[3],
            "filter_h": shape.height.filter_size,
            "stride_h": shape.height.stride,
            "padding_h": shape.height.before,
            "padding_row": shape.width.before * shape.depth,
            "ring_row": shape.ring_row,
            "input_zero_point": x.zero_point,
            "segment": shape.segment,
            "runs": shape.runs,
            "run_pixels": shape.run_pixels,
            "pixels": inner.pixels,
            "channels": inner.channels,
            "rows": inner.rows,
            "vectors": len(inner.offsets),
            "vector_bytes": inner.vector_bytes,
            "run_bytes": shape.segment or shape.width.filter_size * shape.depth,
            "taps": shape.taps,
            "depth": shape.depth,
            "stride_w": shape.width.stride,
            "pixel_input": inner.pixel_input,
            "pixel_output": inner.pixel_output,
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
        shape = geometry(node)
        return (shape.height.filter_size + 1) * shape.ring_row

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (_distance(node, geometry(node)), *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        shape = geometry(node)
        groups = -(-shape.run_pixels // shape.dots.pixels)
        calls = 2 if shape.run_pixels % shape.dots.pixels else 1
        rows = 30 * shape.runs + (node.input(0).elements / 4 if shape.ring_row else 0)
        return dots.cycles(shape.dots, shape.runs * groups, shape.runs * calls) + rows


def ohwi(node: BoundNode) -> np.ndarray:
    """The weights as a convolution's."""
    data = node.input(1).data
    assert data is not None
    return data.transpose(3, 1, 2, 0) if node.node.op == "depthwise_conv_2d" else data


def geometry(node: BoundNode) -> _Geometry:
    height, width = axes_of(node)
    x, y = node.input(0), node.output
    depth, channels = x.shape[3], y.shape[3]
    run = width.filter_size * depth
    padded = height.before or width.before or height.after or width.after
    in_place = not padded and (run >= VECTOR or (run == 8 and depth % 4 == 0))
    pointwise = in_place and height.filter_size == width.filter_size == 1
    rows, segment = height.filter_size, 0
    if pointwise and depth > _SEGMENT:
        rows = -(-depth // _SEGMENT)
        segment = -(-depth // rows // VECTOR) * VECTOR
    whole = not segment and depth % VECTOR == 0
    taps = width.filter_size if whole else 0
    offsets = _tap_offsets(width, depth) if whole else _chunk_offsets(segment or run)
    merged = pointwise and height.stride == width.stride == 1
    runs, run_pixels = (1, y.shape[1] * y.shape[2]) if merged else (y.shape[1], y.shape[2])
    inner = Dots(
        pixels=1,
        channels=channels,
        rows=rows,
        offsets=offsets,
        vector_bytes=8 if in_place and run == 8 else VECTOR,
        aligned=depth % 4 == 0,
        pixel_input=width.stride * depth,
        pixel_output=channels,
        output=requantize.output_of(node),
    )
    inner = dots.with_best_pixels(inner, run_pixels)
    reach = (y.shape[2] - 1) * width.stride * depth + max(offsets) + VECTOR
    ring_row = 0 if in_place else -(-max(reach, (width.before + x.shape[2]) * depth) // 4) * 4
    return _Geometry(height, width, depth, taps, ring_row, segment, runs, run_pixels, inner)


def _tap_offsets(width: WindowAxis, depth: int) -> tuple[int, ...]:
    """Taps that are a stride apart follow each other: neighbouring pixels read the same vectors."""
    taps = [tap for first in range(width.stride) for tap in range(first, width.filter_size, width.stride)]
    return tuple(part + tap * depth for part in range(0, depth, VECTOR) for tap in taps)


def _chunk_offsets(run: int) -> tuple[int, ...]:
    """The last vector ends where the run ends."""
    return tuple(min(start, max(run - VECTOR, 0)) for start in range(0, run, VECTOR))


def _packed(node: BoundNode, shape: _Geometry) -> np.ndarray:
    weights = ohwi(node)
    channels = len(weights)
    rows = shape.dots.rows
    if shape.segment:
        runs, starts = weights.reshape(channels, 1, -1), _segment_starts(shape, rows)
    else:
        runs, starts = weights.reshape(channels, rows, -1), [0] * rows
    vectors = np.zeros((channels, rows, len(shape.dots.offsets), VECTOR), np.int8)
    for row in range(rows):
        used = 0
        source = runs[:, 0 if shape.segment else row]
        if shape.segment and row:
            used = starts[row - 1] + shape.segment
        for v, offset in enumerate(shape.dots.offsets):
            # Weights that an earlier vector has had already stay 0.
            first = starts[row] + offset
            begin = first if shape.taps else max(first, used)
            part = source[:, begin : first + VECTOR]
            vectors[:, row, v, begin - first : begin - first + part.shape[1]] = part
            used = max(used, first + VECTOR)
    return dots.packed(node, shape.dots, weights.reshape(channels, -1), vectors)


def _segment_starts(shape: _Geometry, rows: int) -> list[int]:
    return [min(row * shape.segment, shape.depth - shape.segment) for row in range(rows)]


def _distance(node: BoundNode, shape: _Geometry) -> int:
    """The least address(input) - address(output): nothing is written over what is still to be read."""
    x, inner, stride = node.input(0), shape.dots, shape.height.stride
    row = x.shape[2] * x.shape[3]
    output_run = shape.run_pixels * inner.pixel_output
    starts = [*range(0, shape.run_pixels - inner.pixels + 1, inner.pixels)]
    starts += [shape.run_pixels - inner.pixels] if shape.run_pixels % inner.pixels else []
    least = -x.bytes
    for run in range(shape.runs):
        if shape.ring_row:
            unread = run * stride - shape.height.before + shape.height.filter_size
            if unread < x.shape[1]:
                least = max(least, (run + 1) * output_run - max(unread, 0) * row)
            continue
        unread = (run + 1) * stride * row if run + 1 < shape.runs else x.bytes
        for start in reversed(starts):
            unread = min(unread, run * stride * row + start * inner.pixel_input)
            end = run * output_run + (start + inner.pixels) * inner.pixel_output
            least = max(least, end - unread)
    return least


KERNEL = Conv2DS8Mve()
