"""Windows that slide over height and width: what convolutions and pooling share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.ops.base import Constraint, Shape, window_output, window_padding
from mcu_quant.ops.forms import FORMS

#: Of what goes through one image.
ONE_BATCH = Constraint(
    "the batch must be 1",
    lambda node: node.input(0).shape[0] == 1,
    lambda node: node.input(0).shape,
    "the axes in one image, or a layer for each part of the batch",
    forms=FORMS,
)


class FilterAxis(ABC):
    """A filter along one axis: which outputs each of its taps helps to make, and from what."""

    filter_size: int
    output_size: int

    @abstractmethod
    def reach(self, tap: int) -> tuple[slice, slice]:
        """(outputs, inputs): the outputs whose tap lies inside the input, and what they read there."""

    def inside(self) -> np.ndarray:
        """Which taps lie inside the input, for each output: the different cases, bool [cases, taps]."""
        inside = np.zeros((self.output_size, self.filter_size), bool)
        for tap in range(self.filter_size):
            inside[self.reach(tap)[0], tap] = True
        return np.unique(inside, axis=0)

    def products(self) -> int:
        """Taps of all outputs, those outside the input left out."""
        outputs = (self.reach(tap)[0] for tap in range(self.filter_size))
        return sum(len(range(reached.start, reached.stop, reached.step or 1)) for reached in outputs)


@dataclass(frozen=True)
class WindowAxis(FilterAxis):
    """A window sliding along one axis; everything in elements. before: padding ahead of the input.

    Tap k of output o reads input o * stride - before + k * dilation; outside, there is nothing.
    """

    input_size: int
    filter_size: int
    stride: int
    dilation: int
    before: int
    output_size: int

    def reach(self, tap: int) -> tuple[slice, slice]:
        first = tap * self.dilation - self.before
        start = max(-(first // self.stride), 0)
        stop = min((self.input_size - 1 - first) // self.stride + 1, self.output_size)
        if stop <= start:
            return slice(0, 0), slice(0, 0)
        begin = first + start * self.stride
        return slice(start, stop), slice(begin, begin + (stop - start - 1) * self.stride + 1, self.stride)

    @property
    def after(self) -> int:
        """Padding behind the input so that every window is whole."""
        span = (self.output_size - 1) * self.stride + (self.filter_size - 1) * self.dilation + 1
        return max(span - self.before - self.input_size, 0)


@dataclass(frozen=True)
class TransposedAxis(FilterAxis):
    """A filter that each input spreads along one axis; everything in elements. ARITHMETIC section 5.

    Input i adds its product with tap k to output i * stride - before + k; outside, it is lost.
    """

    input_size: int
    filter_size: int
    stride: int
    before: int
    output_size: int

    def reach(self, tap: int) -> tuple[slice, slice]:
        first = tap - self.before
        start = max(-(first // self.stride), 0)
        stop = min((self.output_size - 1 - first) // self.stride + 1, self.input_size)
        if stop <= start:
            return slice(0, 0), slice(0, 0)
        begin = first + start * self.stride
        return slice(begin, begin + (stop - start - 1) * self.stride + 1, self.stride), slice(start, stop)


WindowAxes = tuple[WindowAxis, WindowAxis]
TransposedAxes = tuple[TransposedAxis, TransposedAxis]


@dataclass(frozen=True)
class BandPadding:
    """Padding of a node that computes some rows of an image: `rows` is what the window does along height.

    padding: the whole image's, which holds along width. image: the window along the whole image's height.
    """

    padding: str
    rows: WindowAxis
    image: WindowAxis


#: "same", "valid", or what a band of rows has; files know the first two.
Padding = str | BandPadding


def window_axes(
    padding: Padding,
    input_shape: Shape,
    filter_size: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> WindowAxes:
    """Height's and width's window over an input [1, H, W, C]."""
    if isinstance(padding, BandPadding):
        _, width = window_axes(padding.padding, input_shape, filter_size, strides, dilation)
        assert padding.rows.input_size == input_shape[1]
        return padding.rows, width
    height, width = (
        WindowAxis(
            size,
            taps,
            stride,
            step,
            window_padding(padding, size, taps, stride, step)[0],
            window_output(padding, size, taps, stride, step),
        )
        for size, taps, stride, step in zip(input_shape[1:3], filter_size, strides, dilation, strict=True)
    )
    return height, width


def transposed_axes(
    padding: str,
    input_shape: Shape,
    filter_size: tuple[int, int],
    strides: tuple[int, int],
    output_size: tuple[int, int],
) -> TransposedAxes:
    """Height's and width's axis of a transposed convolution over an input [1, H, W, C].

    before: the padding of the convolution that goes from the output's size to the input's.
    """
    height, width = (
        TransposedAxis(size, taps, stride, window_padding(padding, made, taps, stride)[0], made)
        for size, taps, stride, made in zip(input_shape[1:3], filter_size, strides, output_size, strict=True)
    )
    return height, width


def transposed_columns(x: np.ndarray, axes: TransposedAxes) -> np.ndarray:
    """What each tap of each output reads of x [N, H, W, C], or 0: [N, OH, OW, filter_h, filter_w, C]."""
    h, w = axes
    columns = np.zeros(
        (len(x), h.output_size, w.output_size, h.filter_size, w.filter_size, x.shape[3]), x.dtype
    )
    for tap_y in range(h.filter_size):
        out_y, in_y = h.reach(tap_y)
        for tap_x in range(w.filter_size):
            out_x, in_x = w.reach(tap_x)
            columns[:, out_y, out_x, tap_y, tap_x] = x[:, in_y, in_x]
    return columns


def window_columns(x: np.ndarray, axes: WindowAxes) -> np.ndarray:
    """The windows over x [N, H, W, C], padded with zeros, as a view [N, OH, OW, filter_h, filter_w, C]."""
    h, w = axes
    if h.before or w.before or h.after or w.after:
        x = np.pad(x, ((0, 0), (h.before, h.after), (w.before, w.after), (0, 0)))
    n, rows, columns, channels = x.strides
    return np.lib.stride_tricks.as_strided(
        x,
        (len(x), h.output_size, w.output_size, h.filter_size, w.filter_size, x.shape[3]),
        (n, rows * h.stride, columns * w.stride, rows * h.dilation, columns * w.dilation, channels),
        writeable=False,
    )


def sample_chunks(samples: int, elements: int) -> list[slice]:
    """Slices of the sample axis such that temporaries of `elements` a sample stay in the cache."""
    step = max(1, (1 << 18) // max(elements, 1))
    return [slice(start, start + step) for start in range(0, samples, step)]


def images(x: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """[N, 1, H, W, C] as [N, H, W, C]."""
    return x.reshape(-1, *shape[1:])
