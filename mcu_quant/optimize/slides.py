"""Rows that move on in a state: files have several operators for that, here it is one.

Converters write the last rows of a stream as window = concatenation(kept, new), kept' = the window's end: two
copies a run, and a third to where the state is. A slide (ops/slide.py) is one move in the state block.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcu_quant.ir import Graph, Node, State, unique_name
from mcu_quant.ops.slide import SlideAttrs


def find_slides(graph: Graph) -> Graph:
    """The graph with a slide for each state that becomes its own last rows and new ones; itself without any.

    Either a state is joined with new rows and the last of all are kept, or its first rows are cut off and new
    ones joined. What is in between has no other use; or, in the first case, what is joined is read, and then
    all of it becomes the state.
    """
    for state in graph.states:
        found = _found(graph, state)
        if found is not None:
            graph = _with_slide(graph, state, found)
    return graph


@dataclass(frozen=True)
class _Found:
    """new: the new rows. nodes: what a slide stands for. slid: its output, the state or more rows."""

    new: str
    axis: int
    nodes: tuple[Node, Node]
    slid: str


def _found(graph: Graph, state: State) -> _Found | None:
    last = graph.producers().get(state.after)
    first = graph.producers().get(str(last.inputs[0])) if last is not None else None
    if last is None or first is None:
        return None
    joined, cut = (first, last) if first.op == "concatenation" else (last, first)
    if (joined.op, cut.op, len(joined.inputs)) != ("concatenation", "strided_slice", 2):
        return None
    axis, new, between = joined.attrs.axis, str(joined.inputs[1]), first.outputs[0]
    sizes = list(graph.tensors[state.before].shape)
    begin = graph.tensors[new].shape[axis]
    sizes[axis] -= 0 if joined is first else begin
    if first.inputs[0] != state.before or not _is_cut(cut, axis, begin, tuple(sizes)):
        return None
    if _uses(graph, between) == 1 and begin <= graph.tensors[state.before].shape[axis]:
        return _Found(new, axis, (first, last), state.after)
    alone = _uses(graph, state.after) == _uses(graph, state.before) == 1
    return _Found(new, axis, (first, last), between) if joined is first and alone else None


def _uses(graph: Graph, name: str) -> int:
    """How often it is read or kept."""
    return sum(node.inputs.count(name) for node in graph.nodes) + graph.kept.count(name)


def _is_cut(node: Node, axis: int, begin: int, sizes: tuple[int, ...]) -> bool:
    """Whether it cuts off the first `begin` along the axis and nothing else."""
    attrs = node.attrs
    first = tuple(begin if other == axis else 0 for other in range(len(sizes)))
    return attrs.begin == first and attrs.sizes == sizes and set(attrs.strides) == {1} and not attrs.dropped


def _with_slide(graph: Graph, state: State, found: _Found) -> Graph:
    first, last = found.nodes
    tensors, kept = dict(graph.tensors), state
    if found.slid != state.after:
        before = unique_name(f"{state.before}/wide", tensors)
        tensors[before] = replace(tensors[found.slid], name=before)
        kept = State(
            before, found.slid, _widened(state.initial, found.axis, tensors[before].shape[found.axis])
        )
    slide = Node(last.name, "slide", SlideAttrs(found.axis), (kept.before, found.new), (found.slid,))
    at, gone = (first, last) if found.slid in first.outputs else (last, first)
    nodes = [slide if node.name == at.name else node for node in graph.nodes if node.name != gone.name]
    states = tuple(kept if other is state else other for other in graph.states)
    return graph.with_(nodes=tuple(nodes), tensors=tensors, states=states)


def _widened(initial: np.ndarray, axis: int, rows: int) -> np.ndarray:
    """With rows in front that no run reads: the first slide drops them."""
    missing = rows - initial.shape[axis]
    return np.concatenate([np.repeat(initial.take([0], axis), missing, axis), initial], axis)
