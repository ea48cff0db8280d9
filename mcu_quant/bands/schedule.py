"""Which rows of each tensor a band makes, keeps and reads: arithmetic on row numbers.

Stages run one after the other in every band. A band makes the next `rows` rows of the last stage's
output, and of every other tensor the rows that this takes and that no band before has made: nothing is
computed twice. Rows that a later band reads again are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Reach:
    """What output rows read of an input of `height` rows: row y, `span` rows from y * stride - before on.

    Rows outside the input are padding, and not read.
    """

    height: int
    stride: int = 1
    before: int = 0
    span: int = 1

    def first(self, row: int) -> int:
        """The first input row that output row `row` and all behind it need."""
        return min(max(row * self.stride - self.before, 0), self.height)

    def end(self, rows: int) -> int:
        """One past the last input row that the first `rows` output rows need."""
        return 0 if rows == 0 else min((rows - 1) * self.stride - self.before + self.span, self.height)

    @property
    def is_identity(self) -> bool:
        return (self.stride, self.before, self.span) == (1, 0, 1)


@dataclass(frozen=True)
class Stage:
    """A node: it makes `output`, of `height` rows, from rows of tensors. reads: (name, reach) of each input,
    None for what is constant."""

    output: str
    height: int
    reads: tuple[tuple[str, Reach] | None, ...]

    @property
    def is_by_rows(self) -> bool:
        """Whether each row is made from one row of every input."""
        return all(read is None or read[1].is_identity for read in self.reads)


class Schedule:
    """stages: in order; every output but the last is read by a later stage. rows: of the last, in a band."""

    def __init__(self, stages: Sequence[Stage], rows: int) -> None:
        self.stages, self.rows = tuple(stages), rows
        height = stages[-1].height
        self.bands = -(-height // rows)
        self._readers: dict[str, list[tuple[int, Reach]]] = {}
        for index, stage in enumerate(stages):
            for read in stage.reads:
                if read is not None:
                    self._readers.setdefault(read[0], []).append((index, read[1]))
        self._ends = {stages[-1].output: [min(rows * (band + 1), height) for band in range(self.bands)]}
        for stage in reversed(self.stages[:-1]):
            self._ends[stage.output] = [
                max(reach.end(self._end(i, band)) for i, reach in self._readers[stage.output])
                for band in range(self.bands)
            ]

    def made(self, name: str, band: int) -> range:
        """The rows of a stage's output that the band makes."""
        ends = self._ends[name]
        return range(ends[band - 1] if band else 0, ends[band])

    def read(self, stage: int, operand: int, band: int) -> range | None:
        """The rows of an input that the band reads. None if it is constant."""
        read = self.stages[stage].reads[operand]
        if read is None:
            return None
        rows, reach = self.made(self.stages[stage].output, band), read[1]
        return range(reach.first(rows.start), reach.end(rows.stop)) if rows else range(0)

    def first_needed(self, name: str, band: int, stage: int = 0) -> int:
        """The first row that is still read, now or later, when that stage of the band begins."""
        needed = []
        for index, reach in self._readers[name]:
            done = self._end(index, band if index < stage else band - 1)
            is_over = done == self._end(index, self.bands - 1)
            needed.append(reach.height if is_over else reach.first(done))
        return min(needed)

    def low(self, name: str, band: int) -> int:
        """The first row of a stage's output that is in its buffer while the band runs."""
        made = self.made(name, band)
        return min(self.first_needed(name, band), made.start) if name in self._readers else made.start

    def kept(self, name: str, band: int) -> range:
        """The rows that earlier bands made and that this one, or a later one, reads."""
        return range(self.low(name, band), self.made(name, band).start)

    def buffer_rows(self, name: str) -> int:
        """How many rows a stage's buffer holds: what is kept and what is made behind it."""
        return max(self.made(name, band).stop - self.low(name, band) for band in range(self.bands))

    def readers(self, name: str) -> list[int]:
        """The stages that read a tensor."""
        return [index for index, _ in self._readers.get(name, [])]

    def _end(self, stage: int, band: int) -> int:
        return self._ends[self.stages[stage].output][band] if band >= 0 else 0
