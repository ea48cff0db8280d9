"""How a depthwise convolution goes through its image: bands of rows, planes of int16, one channel each.

A band is some rows of the output. The input rows under it become int16 planes, padded, for four
channels at a time; a function in assembly then convolves plane after plane, so that a channel's
weights stay in registers for the whole band. An image one pixel wide is one line: there a band is
a part of the line, and the planes have a single row.

Channels outside, bands inside: no row is made planes of twice, lines that two bands share are kept,
and the output may lie exactly where the input does (never a few bytes before: channels yet to come
would be overwritten). Bands outside: the output may lie anywhere from `overlap` on before the input.
That is for images that shrink.

A large filter needs many lines. Where four channels' would be much beside the input itself, one channel
is made a plane of at a time, and channels are outside, so that the lines are made but once.

Of a dilated filter, rows are read that far apart; along lines it is a longer filter with weights of 0,
whose products are left out where both weights of a pair are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from mcu_quant.ir import BoundNode
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier
from mcu_quant.ops.windows import WindowAxis

#: Input channels that are made planes of at once.
GROUP = 4
#: Bytes that offsets in instructions reach, for four planes.
_MAX_PLANE = 1020
#: Offsets in loads and stores have 12 bits.
MAX_OFFSET = 4095
#: Planes of four channels may take that part of the input's bytes if it is more than their limit. Planes that
#: are made one by one take no more of it.
_SHARE = 0.04


@dataclass(frozen=True)
class Geometry:
    """rows, columns: the image's axes, swapped or stood still so that bands are of rows.

    band: output rows at a time. Where `line` is set, rows are the pixels of one line.
    by_channel: channels are outside, bands inside. dilation: along a plane's lines; the axis there has
    the longer filter. group: channels that are made planes of at once, if there are as many and each has one
    output.
    """

    rows: WindowAxis
    columns: WindowAxis
    channels: int
    multiplier: int
    band: int
    line: bool
    by_channel: bool
    dilation: int = 1
    group: int = GROUP

    @property
    def output_channels(self) -> int:
        return self.channels * self.multiplier

    @property
    def band_rows(self) -> int:
        """Input rows, padding included, under a band."""
        return (self.band - 1) * self.rows.stride + self.filter_reach

    @property
    def filter_reach(self) -> int:
        """Input rows under the filter."""
        return (self.rows.filter_size - 1) * self.rows.dilation + 1

    @property
    def across(self) -> WindowAxis:
        """The axis along a plane's lines, as the assembly sees it."""
        if not self.line:
            return self.columns
        axis = self.rows
        size = axis.input_size if self.whole else self.band_rows
        return WindowAxis(size, axis.filter_size, axis.stride, 1, axis.before, self.band)

    @property
    def whole(self) -> bool:
        return self.band == self.rows.output_size

    @property
    def plane_rows(self) -> int:
        return 1 if self.line else self.band_rows

    @property
    def filter_rows(self) -> int:
        return 1 if self.line else self.rows.filter_size

    @property
    def row_dilation(self) -> int:
        """From one row of the filter to the next, in the planes' lines."""
        return 1 if self.line else self.rows.dilation

    def has_weights(self, word: int) -> bool:
        """Whether taps `word` and `word` + 1 of the longer filter are not both between weights."""
        return word % self.dilation == 0 or (word + 1) % self.dilation == 0

    @property
    def output_rows(self) -> int:
        """Rows of outputs that the assembly makes of a plane."""
        return 1 if self.line else self.band

    @property
    def pairs(self) -> int:
        """Words of a plane's line: pairs of pixels, and one word more where the last outputs read it."""
        last = (self.across.output_size - 1) * self.across.stride + self.across.filter_size - 1
        return last // 2 + 1

    @property
    def line_bytes(self) -> int:
        return 4 * self.pairs

    @property
    def plane_bytes(self) -> int:
        return self.line_bytes * self.plane_rows

    @property
    def planes(self) -> int:
        return self.group if self.multiplier == 1 and self.channels >= self.group else 1

    @property
    def scratch_bytes(self) -> int:
        return self.plane_bytes * self.planes

    @property
    def input_bytes(self) -> int:
        return self.rows.input_size * self.columns.input_size * self.channels

    def bands(self) -> list[range]:
        """Output rows of each band. The parts of a line are all whole, so the last may go back a little."""
        size = self.rows.output_size
        last = size - self.band if self.line else size
        starts = (min(start, last) for start in range(0, size, self.band))
        return [range(start, min(start + self.band, size)) for start in starts]

    @property
    def lines_made(self) -> int:
        """Lines of the image that are widened, for one plane."""
        if self.line:
            return len(self.bands())
        if self.by_channel or self.whole:
            return self.rows.input_size
        return sum((len(band) - 1) * self.rows.stride + self.filter_reach for band in self.bands())

    @property
    def overlap(self) -> int:
        """The least address(input) - address(output), bands outside."""
        input_row = self.columns.input_size * self.channels
        output_row = self.columns.output_size * self.output_channels
        return max(
            band.stop * output_row - max(band.start * self.rows.stride - self.rows.before, 0) * input_row
            for band in self.bands()
        )


def image_axes(node: BoundNode) -> tuple[WindowAxis, WindowAxis, bool]:
    """(rows, columns, whether rows are the pixels of one line)."""
    height, width = axes_of(node)
    if height.input_size == height.filter_size == height.output_size == 1:
        height, width = width, height
    line = width.input_size == width.filter_size == width.output_size == 1
    return height, width, line


def choose_geometry(
    node: BoundNode, plane_bytes: int, band_bytes: int, group_bytes: int | None = None
) -> Geometry:
    """The largest band whose planes take plane_bytes at most, or with the overlap band_bytes.

    group_bytes: more than those (and _SHARE of the input), and planes are made one by one; None: never.
    """
    rows, columns, line = image_axes(node)
    along = rows if line else columns
    whole = Geometry(
        _without_dilation(rows) if line else rows,
        _without_dilation(columns),
        node.input(0).shape[3],
        depth_multiplier(node),
        rows.output_size,
        line,
        by_channel=True,
        dilation=along.dilation if along.filter_size > 1 else 1,
    )
    return _choose(whole, plane_bytes, band_bytes, group_bytes)


def _without_dilation(axis: WindowAxis) -> WindowAxis:
    """The same with weights of 0 between the taps."""
    return replace(axis, filter_size=(axis.filter_size - 1) * axis.dilation + 1, dilation=1)


@lru_cache(maxsize=256)
def _choose(whole: Geometry, plane_bytes: int, band_bytes: int, group_bytes: int | None) -> Geometry:
    same = _same_places(whole)
    padded_line = whole.line and bool(whole.rows.before or whole.rows.after)
    if padded_line or (whole.line and same and whole.scratch_bytes <= plane_bytes):
        return whole
    best = replace(whole, band=1, by_channel=same and not whole.line)
    share = int(_SHARE * whole.input_bytes)
    if group_bytes is not None and best.scratch_bytes > min(max(group_bytes, share), MAX_OFFSET):
        alone = replace(best, by_channel=True, group=1)
        if _may_replace(alone):
            best, plane_bytes = alone, min(plane_bytes, share)
    for band in range(2, whole.band + 1):
        tried = replace(best, band=band)
        fits = tried.scratch_bytes <= plane_bytes
        if not best.by_channel:
            fits = tried.scratch_bytes + tried.overlap <= band_bytes
        if fits and tried.plane_bytes <= _MAX_PLANE:
            best = tried
    return best


def _same_places(geometry: Geometry) -> bool:
    """Whether the output can lie where the input does, if channels are outside."""
    return geometry.multiplier == 1 and geometry.rows.stride == geometry.columns.stride == 1


def _may_replace(geometry: Geometry) -> bool:
    """The same for images that shrink: the rows that a band is written over were all read with it.

    It holds for larger bands if it does for these.
    """
    rows = geometry.rows
    if geometry.multiplier != 1 or geometry.line:
        return False
    return all(
        band.stop * geometry.columns.output_size
        <= (band.stop * rows.stride - rows.stride - rows.before + geometry.filter_reach)
        * geometry.columns.input_size
        for band in geometry.bands()
    )
