"""Ring buffers of other people's models, slid in place.

Converters write the last rows of a stream as window = concatenation(kept, new), kept' = the window's end: two
copies a run, and a third to where the state is. Kept whole, the window is its own next value, moved on by
the new rows: one move in the state block (ops/slide.py), to the same bytes. (slides.py has those whose window
nothing else reads.)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import Graph, Node, State, check
from mcu_quant.ops.slide import SLIDE, SlideAttrs
from mcu_quant.ops.strided_slice import attrs_of


def slide_ring_buffers(graph: Graph) -> Graph:
    """The graph with a state that is the window in place of each that is its last rows."""
    for state in graph.states:
        found = _ring_buffer(graph, state)
        if found is not None:
            graph = _with_window(graph, state, *found)
    return graph


def _ring_buffer(graph: Graph, state: State) -> tuple[Node, Node] | None:
    """(the concatenation, the slice) of a state that nothing else reads; None if it is no ring buffer."""
    readers, last = graph.consumers(), graph.producers().get(state.after)
    joins = readers[state.before]
    if len(joins) != 1 or joins[0].op != "concatenation" or last is None or last.op != "strided_slice":
        return None
    (join,) = joins
    needed = (state.before in graph.kept) or readers[state.after] or graph.kept.count(state.after) > 1
    if needed or len(join.inputs) != 2 or join.inputs[0] != state.before or last.inputs[0] != join.outputs[0]:
        return None
    axis, window = join.attrs.axis, graph.tensors[join.outputs[0]].shape
    rows = graph.tensors[state.before].shape[axis]
    end = (*(slice(None) for _ in range(axis)), slice(window[axis] - rows, None))
    return (join, last) if last.attrs == attrs_of(end, window) else None


def _with_window(graph: Graph, state: State, join: Node, last: Node) -> Graph:
    axis, window = join.attrs.axis, graph.tensors[join.outputs[0]]
    added = window.shape[axis] - state.initial.shape[axis]
    # Rows that no run sees: like the first, so that they need no table of their own.
    unseen = np.repeat(state.initial.take([0], axis), added, axis)
    initial = np.concatenate([unseen, state.initial], axis)
    slid = replace(join, op=SLIDE.name, attrs=SlideAttrs(axis))
    before = replace(graph.tensors[state.before], shape=window.shape, value_range=None)
    nodes = tuple(slid if node is join else node for node in graph.nodes if node is not last)
    kept = State(state.before, window.name, initial)
    states = tuple(kept if other is state else other for other in graph.states)
    return check(graph.with_(nodes=nodes, tensors={**graph.tensors, before.name: before}, states=states))
