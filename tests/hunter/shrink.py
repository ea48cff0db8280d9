"""Smaller cases that fail in the same way: a few nodes of a graph, or a few layers of a Keras model.

Parts are cut out where they are: what they read of the rest becomes an input. A part of a graph is given
the values that the whole computed there, so that most faults are left with one node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from mcu_quant.ir import Graph, Node, check
from mcu_quant.ops.interpreter import run_graph
from tests.hunter.graphs import Case
from tests.hunter.keras_specs import FloatModel, LayerSpec, ModelSpec


def shrink_case(case: Case, fails: Callable[[Case], bool]) -> Case:
    """The shortest run of nodes that fails, then without those nodes and samples that it does not need."""
    values = _values(case)
    nodes = case.graph.nodes
    runs = (part(case.graph, run, values) for run in _runs(nodes))
    case = next((smaller for smaller in runs if fails(smaller)), case)
    return _one_sample(_without_nodes(case, values, fails), fails)


def _values(case: Case) -> dict[str, np.ndarray]:
    """Of every activation, [N, *shape]; a graph with states shows one run after the other."""
    runs: dict[str, list[np.ndarray]] = {}
    run_graph(case.graph, case.inputs, lambda name, value: runs.setdefault(name, []).append(value))
    return {name: np.concatenate(parts) for name, parts in runs.items()}


def part(graph: Graph, nodes: Sequence[Node], values: dict[str, np.ndarray]) -> Case:
    """Those nodes alone. values: of every activation of the graph that they read, [N, *shape].

    A state that they read and change stays one; one that others change is an input.
    """
    written = {name for node in nodes for name in node.outputs}
    read = list(dict.fromkeys(name for node in nodes for name in node.inputs if name is not None))
    states = tuple(s for s in graph.states if s.before in read and s.after in written)
    given = written.union(state.before for state in states)
    inputs = tuple(name for name in read if name not in given and not graph.tensors[name].is_constant)
    unread = {name for name in written if name not in read and name not in {s.after for s in states}}
    ends = [name for node in nodes for name in node.outputs if name in unread or name in graph.outputs]
    outputs = tuple(ends) or nodes[-1].outputs[:1]
    cut = replace(graph, nodes=tuple(nodes), inputs=inputs, outputs=outputs, states=states).with_()
    return Case(check(cut), tuple(values[name] for name in inputs))


def _runs(nodes: Sequence[Node]) -> Iterator[Sequence[Node]]:
    """Every run of successive nodes but all, the shortest first."""
    for length in range(1, len(nodes)):
        for start in range(len(nodes) - length + 1):
            yield nodes[start : start + length]


def _without_nodes(case: Case, values: dict[str, np.ndarray], fails: Callable[[Case], bool]) -> Case:
    for node in case.graph.nodes:
        rest = [other for other in case.graph.nodes if other is not node]
        smaller = part(case.graph, rest, values) if rest else case
        if smaller is not case and smaller.inputs and fails(smaller):
            case = smaller
    return case


def _one_sample(case: Case, fails: Callable[[Case], bool]) -> Case:
    """Or, of a graph with states, as few of the first runs as show it."""
    count = len(case.inputs[0])
    some = [slice(0, i + 1) if case.graph.states else slice(i, i + 1) for i in range(count)]
    fewer = (Case(case.graph, tuple(x[part] for x in case.inputs)) for part in some)
    return next((smaller for smaller in fewer if fails(smaller)), case)


def shrink_spec(spec: ModelSpec, fails: Callable[[ModelSpec], bool]) -> ModelSpec:
    """The shortest run of layers that fails."""
    shapes = FloatModel.start(spec.input_shapes)
    for layer in spec.layers:
        shapes.add(layer)
    every = [shapes.shape(index) for index in range(len(shapes.values))]
    for length in range(1, len(spec.layers)):
        for start in range(len(spec.layers) - length + 1):
            smaller = _layers(spec, every, start, start + length)
            if fails(smaller):
                return smaller
    return spec


def _layers(spec: ModelSpec, shapes: Sequence[tuple[int, ...]], start: int, end: int) -> ModelSpec:
    """Layers start to end alone. shapes: of the values that LayerSpec.inputs counts."""
    first = len(spec.input_shapes) + start
    layers = spec.layers[start:end]
    outside = sorted({index for layer in layers for index in layer.inputs if index < first})

    def moved(index: int) -> int:
        return outside.index(index) if index < first else index - first + len(outside)

    cut: list[LayerSpec] = [
        replace(layer, inputs=tuple(moved(index) for index in layer.inputs)) for layer in layers
    ]
    return replace(spec, input_shapes=tuple(shapes[index] for index in outside), layers=tuple(cut))
