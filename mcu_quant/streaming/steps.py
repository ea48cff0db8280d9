"""A node that streams: which of its inputs' rows the new rows of its output are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mcu_quant.ir import BoundNode
from mcu_quant.streaming.frames import Frames, Selection, Taps, taps_of, through
from mcu_quant.streaming.reach import Reach, reach_of
from mcu_quant.streaming.rows import DILATED


@dataclass(frozen=True)
class Step:
    """A node that makes some rows of its output.

    taps: by the inputs that vary in time, by position. frames: the output's.
    """

    reach: Reach
    taps: Mapping[int, Taps]
    frames: Frames


def step_of(node: BoundNode, read: Mapping[int, Frames]) -> Step | None:
    """None if the node needs the whole window."""
    first = next(iter(read.values()))
    alike = all((f.spacing, f.size) == (first.spacing, first.size) for f in read.values())
    reach = reach_of(node, {index: frames.axis for index, frames in read.items()}) if alike else None
    if reach is None:
        return None
    size = 1 if reach.axis is None else node.output.shape[reach.axis]
    made = _together([through(reach, frames, size, node.name) for frames in read.values()])
    taps = {index: taps_of(reach, frames, made) for index, frames in read.items()}
    return Step(reach, taps, made)


def _together(made: list[Frames]) -> Frames:
    """Of rows that are made of several inputs: as late as the latest of them."""
    first = max(frames.clean[0] for frames in made)
    end = max(first, min(frames.clean[1] for frames in made))
    padded = next((frames.padded_by for frames in made if frames.padded_by), "")
    return replace(made[0], clean=(first, end), ahead=min(frames.ahead for frames in made), padded_by=padded)


def parts_of(node: BoundNode, taps: Taps) -> list[tuple[Selection, Taps]]:
    """How the rows are made: of what, and with which taps; several parts are joined along time.

    Rows that lie apart are gathered where one row is made, since kernels are made for windows without gaps,
    and where the operator knows no gaps.
    """
    if taps.taps == 1:
        picked = Selection(taps.made, taps.stride, taps.delay)
        return [(picked, replace(taps, stride=1, dilation=1, delay=0))]
    apart = taps.dilation > 1
    if taps.made == 1 and (apart or taps.delay >= taps.stride):
        return [(taps.of_row(0), Taps(taps.taps, 1, 1, 0, 1))]
    if apart and node.node.op not in DILATED:
        return [(taps.of_row(row), Taps(taps.taps, 1, 1, 0, 1)) for row in range(taps.made)]
    return [(taps.all_rows(), taps)]
