"""Where a tensor of the window model lies in time, and which of its rows the streaming model makes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mcu_quant.streaming.reach import Reach


@dataclass(frozen=True)
class Frames:
    """Of one tensor. Time is counted in frames of the model's input, hop of which come at once.

    axis: of time. size: its rows in the window model. spacing: frames from row to row there. clean: the rows
    [first, end) that are the same wherever the window begins, because no padding along time reaches them.
    padded_by: the layer whose padding reaches the others, "" if there are none.
    ahead: by how many frames the newest row that is streamed is newer than the window's last.
    """

    axis: int
    size: int
    spacing: int
    clean: tuple[int, int]
    hop: int
    ahead: int = 0
    padded_by: str = ""

    @property
    def period(self) -> int:
        """Frames from one streamed row to the next: the rows of the windows of all hops are among these."""
        return math.gcd(self.hop, self.spacing)

    @property
    def rows(self) -> int:
        """Rows that are streamed at each hop."""
        return self.hop // self.period

    @property
    def all_clean(self) -> bool:
        return self.clean == (0, self.size)

    def whole(self) -> Selection:
        """All rows of the window."""
        return Selection(self.size, self.spacing // self.period, self.ahead // self.period)

    def newest(self) -> Selection:
        """The clean rows of the window that one hop brings: the last ceil(hop / spacing)."""
        count = -(-self.hop // self.spacing)
        behind = self.ahead + (self.size - self.clean[1]) * self.spacing
        return Selection(count, self.spacing // self.period, behind // self.period)


@dataclass(frozen=True)
class Selection:
    """Streamed rows: `count` of them, `step` apart, the last one `delay` rows older than the newest."""

    count: int
    step: int = 1
    delay: int = 0

    def __post_init__(self) -> None:
        if self.count == 1:
            object.__setattr__(self, "step", 1)

    @property
    def depth(self) -> int:
        """How many of the newest rows there must be to select from."""
        return self.delay + (self.count - 1) * self.step + 1


@dataclass(frozen=True)
class Taps:
    """A window over streamed rows. delay: of the newest rows, those that are too new.

    stride, dilation: in streamed rows. made: rows of the output.
    """

    taps: int
    stride: int
    dilation: int
    delay: int
    made: int

    def all_rows(self) -> Selection:
        """What all rows of the output are made of; those that are too new are at its end."""
        return Selection(self.delay + (self.made - 1) * self.stride + (self.taps - 1) * self.dilation + 1)

    def of_row(self, row: int) -> Selection:
        """What one row of the output is made of."""
        return Selection(self.taps, self.dilation, self.delay + (self.made - 1 - row) * self.stride)


def through(reach: Reach, frames: Frames, size: int, layer: str) -> Frames:
    """The output's, of `size` rows, made as early as the input allows. size > 1, or a single row on time.

    axis: 0 stands for the axis that a single row has lost.
    """
    first, end = frames.clean
    clean_first = max(0, -(-(first + reach.before) // reach.stride))
    clean_end = min(size, (end - 1 - reach.last) // reach.stride + 1)
    padded = (clean_first, clean_end) != (0, size) and frames.all_clean
    made = Frames(
        reach.axis or 0,
        size,
        frames.spacing * reach.stride,
        (clean_first, max(clean_end, clean_first)),
        frames.hop,
        padded_by=layer if padded else frames.padded_by,
    )
    if size == 1:
        return made
    return replace(made, ahead=spare(reach, frames, size) // made.period * made.period)


def spare(reach: Reach, frames: Frames, size: int) -> int:
    """By how many frames the input's newest row is newer than what the window's last row is made of."""
    last = (size - 1) * reach.stride + reach.last
    return frames.ahead + (frames.size - 1 - last) * frames.spacing


def taps_of(reach: Reach, frames: Frames, made: Frames) -> Taps:
    """How the streamed rows of the output are made of those of an input that the output is not ahead of."""
    period = frames.period
    delay = (spare(reach, frames, made.size) - made.ahead) // period
    if made.size == 1:
        return Taps(reach.taps, 1, reach.dilation * frames.spacing // period, delay, 1)
    return Taps(
        reach.taps,
        made.period // period,
        reach.dilation * frames.spacing // period,
        delay,
        made.rows,
    )
