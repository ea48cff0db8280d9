"""What each node of a window model becomes when the model streams: some rows, or the whole as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mcu_quant.errors import InvalidInputError, Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph
from mcu_quant.streaming.frames import Frames, Selection, Taps, taps_of, through
from mcu_quant.streaming.reach import Reach, reach_of
from mcu_quant.streaming.rows import DILATED

_HINT = (
    'padding="valid" along time in that layer, or "causal" and only the last steps read; '
    "then train the model again"
)


@dataclass(frozen=True)
class Step:
    """A node that makes some rows of its output.

    taps: by the inputs that vary in time, by position. frames: the output's.
    """

    reach: Reach
    taps: Mapping[int, Taps]
    frames: Frames

    @property
    def made(self) -> int:
        return next(iter(self.taps.values())).made


@dataclass(frozen=True)
class Analysis:
    """frames: of every tensor that varies in time. steps: of the nodes that stream, by name; all others that
    read such a tensor need the whole window of it."""

    frames: Mapping[str, Frames]
    steps: Mapping[str, Step]


def analyze(graph: Graph, axis: int, hop: int) -> Analysis:
    """Raises InvalidInputError for an axis or a hop that the input does not have, and UnsupportedModelError
    with every layer that would have to read rows which depend on padding along time."""
    source = _time_of(graph, axis, hop)
    frames: dict[str, Frames] = {graph.inputs[0]: source}
    steps: dict[str, Step] = {}
    problems: list[Problem] = []
    for node in graph.bound_nodes():
        read = {i: frames[t.name] for i, t in enumerate(node.inputs) if t is not None and t.name in frames}
        if not read:
            continue
        step = _step(node, read)
        if step is None:
            problems += _unclean(node.name, read.values())
        elif step.frames.clean[0] >= step.frames.clean[1]:
            problems += _without_rows(node, step, read)
        else:
            steps[node.name] = step
            if step.frames.size > 1:
                frames[node.output.name] = step.frames
    problems += _output_problems(graph, frames)
    if problems:
        raise UnsupportedModelError(problems)
    return Analysis(frames, steps)


def _time_of(graph: Graph, axis: int, hop: int) -> Frames:
    if graph.states:
        raise InvalidInputError(
            "a model that keeps a state from run to run streams already",
            layer=graph.name,
            value=", ".join(state.before for state in graph.states),
            hint="the command without --stream",
        )
    if len(graph.inputs) != 1:
        raise InvalidInputError(
            "a model that is streamed must have one input",
            layer=graph.name,
            value=", ".join(graph.inputs),
            hint="the inputs joined along their channels",
        )
    (tensor,) = graph.input_tensors()
    able = [other for other, size in enumerate(tensor.shape) if other and size > 1]
    if axis not in able:
        raise InvalidInputError(
            "--stream must be an axis of the input that has several rows; axis 0 is the batch",
            layer=tensor.name,
            value=f"axis {axis} of {list(tensor.shape)}",
            hint=f"--stream {' or '.join(map(str, able))}" if able else "",
        )
    size = tensor.shape[axis]
    if not 1 <= hop <= size:
        raise InvalidInputError(
            "--hop must be at least 1 and at most the frames of the window",
            layer=tensor.name,
            value=f"{hop} of {size} frames",
        )
    return Frames(axis, size, 1, (0, size), hop)


def _step(node: BoundNode, read: Mapping[int, Frames]) -> Step | None:
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


def _unclean(layer: str, read: Iterable[Frames]) -> list[Problem]:
    return [_problem(layer, frames) for frames in read if not frames.all_clean]


def _without_rows(node: BoundNode, step: Step, read: Mapping[int, Frames]) -> list[Problem]:
    frames = next((frames for frames in read.values() if not frames.all_clean), None)
    if frames is not None:
        return [_problem(node.name, frames)]
    reads = f"every row of {step.frames.size} reads padding"
    return [Problem("a layer must have rows that read no padding along time", node.name, reads, _HINT)]


def _problem(layer: str, frames: Frames) -> Problem:
    first, end = frames.clean
    padded = [
        f"{a} to {b - 1}" if b - a > 1 else f"{a}" for a, b in ((0, first), (end, frames.size)) if b > a
    ]
    return Problem(
        "what a layer reads along time must not depend on padding",
        layer,
        f"of its input's {frames.size} rows, {' and '.join(padded)} see the padding of {frames.padded_by}",
        _HINT,
    )


def _output_problems(graph: Graph, frames: Mapping[str, Frames]) -> list[Problem]:
    """Outputs that have fewer clean rows than one hop brings."""
    problems = []
    for name in graph.outputs:
        if name in frames:
            clean, wanted = frames[name].clean, frames[name].newest().count
            if wanted > clean[1] - clean[0]:
                seen = f"{clean[1] - clean[0]} rows without padding, {wanted} for each hop"
                rule = "an output must have the rows that one hop brings"
                problems.append(Problem(rule, name, seen, "a smaller --hop"))
    return problems


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
