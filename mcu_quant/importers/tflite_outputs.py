"""The last of reading a .tflite file: what nobody needs goes, outputs get their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcu_quant.ir import Graph, Node, State


def without_dead_nodes(graph: Graph) -> Graph:
    """Without nodes and states that no output needs, in this run or a later one, and what nothing uses."""
    states: list[State] = []
    while True:
        wanted = {*graph.outputs, *(state.after for state in states)}
        nodes, needed = _live(graph, wanted)
        found = [state for state in graph.states if state.before in needed]
        if len(found) == len(states):
            return graph.with_(nodes=nodes, states=tuple(states))
        states = found


def _live(graph: Graph, wanted: set[str]) -> tuple[tuple[Node, ...], set[str]]:
    """(the nodes that give the wanted tensors, all the tensors that this needs)."""
    needed, kept = set(wanted), []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(name for name in node.inputs if name is not None)
            kept.append(node)
    return tuple(reversed(kept)), needed


def with_names(graph: Graph, names: Sequence[str | None]) -> Graph:
    """The graph with its outputs under those names, where free: what a branch or loop gives has others."""
    new = {
        ours: wanted
        for ours, wanted in zip(graph.outputs, names, strict=True)
        if wanted is not None and wanted not in graph.tensors and ours not in graph.sources
    }
    if not new:
        return graph
    tensors = {
        new.get(name, name): replace(tensor, name=new.get(name, name))
        for name, tensor in graph.tensors.items()
    }
    nodes = tuple(node.renamed(new) for node in graph.nodes)
    return replace(
        graph,
        nodes=nodes,
        tensors=tensors,
        outputs=tuple(new.get(name, name) for name in graph.outputs),
        states=tuple(replace(state, after=new.get(state.after, state.after)) for state in graph.states),
    )
