"""What each node of a window model becomes when the model streams: some rows, or the whole as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mcu_quant.errors import InvalidInputError, Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph
from mcu_quant.streaming.frames import Frames
from mcu_quant.streaming.needs import Needs
from mcu_quant.streaming.steps import Step, step_of

_HINT = (
    'padding="valid" along time in that layer, or "causal" and only the last steps read; '
    "then train the model again"
)


@dataclass(frozen=True)
class Analysis:
    """frames: of every tensor that varies in time. steps: of the nodes that stream, by name; all others that
    read such a tensor need the whole window of it. needs: the rows of each that are needed."""

    frames: Mapping[str, Frames]
    steps: Mapping[str, Step]
    needs: Needs


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
        step = step_of(node, read)
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
    needs = Needs(graph, frames, steps)
    return Analysis(frames, needs.steps, needs)


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
