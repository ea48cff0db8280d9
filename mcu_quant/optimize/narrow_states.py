"""States that an integer model keeps as float32, kept as the integers that they are.

TensorFlow's converter leaves variables float32 in an int8 model: after = dequantize(q), and the next run
quantizes what it reads to the same scale, often behind a concatenation with what is new. Where
quantize(dequantize(q)) is q for every q, the state may be q itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, State, Tensor, check, unique_name
from mcu_quant.ops.interpreter import run_node


def narrow_states(graph: Graph) -> Graph:
    """The graph with integer states where that changes no bit of an output."""
    narrow = graph
    for state in graph.states:
        narrow = _quantized_first(narrow, state)
    for state in narrow.states:
        narrow = _narrowed(narrow, state)
    return graph if narrow is graph else _without_unread(narrow)


def _without_unread(graph: Graph) -> Graph:
    """Without what was dequantized for a state alone."""
    needed = {*graph.kept, *(name for node in graph.nodes for name in node.inputs)}
    nodes = (node for node in graph.nodes if node.op != "dequantize" or node.outputs[0] in needed)
    return check(graph.with_(nodes=tuple(nodes)))


def _quantized_first(graph: Graph, state: State) -> Graph:
    """A state that is concatenated and then quantized is quantized first: that gives the same bytes."""
    readers = graph.consumers()
    (join,) = readers[state.before] if len(readers[state.before]) == 1 else (None,)
    if join is None or join.op != "concatenation" or join.outputs[0] in graph.kept:
        return graph
    (quantize,) = readers[join.outputs[0]] if len(readers[join.outputs[0]]) == 1 else (None,)
    if quantize is None or quantize.op != "quantize" or graph.tensors[join.outputs[0]].dtype != "float32":
        return graph
    if any(graph.tensors[str(name)].is_constant for name in join.inputs):
        return graph
    tensors, taken = dict(graph.tensors), {node.name for node in graph.nodes}
    output = tensors[quantize.outputs[0]]
    parts: list[Node] = []
    for name in join.inputs:
        assert name is not None
        part = unique_name(f"{name}/quantized", tensors)
        tensors[part] = Tensor(part, tensors[name].shape, output.dtype, output.quant)
        parts.append(Node(unique_name(part, taken), "quantize", quantize.attrs, (name,), (part,)))
        taken.add(parts[-1].name)
    joined = replace(join, inputs=tuple(node.outputs[0] for node in parts), outputs=quantize.outputs)
    nodes = [
        new
        for node in graph.nodes
        for new in ((*parts, joined) if node is join else () if node is quantize else (node,))
    ]
    return check(_without_round_trips(graph.with_(nodes=tuple(nodes), tensors=tensors), parts))


def _without_round_trips(graph: Graph, quantizing: list[Node]) -> Graph:
    """Without those nodes that quantize what was just dequantized from the same."""
    producers = graph.producers()
    same: dict[str, str] = {}
    for node in quantizing:
        source = producers.get(str(node.inputs[0]))
        if source is not None and source.op == "dequantize" and _is_round_trip(graph, source, node):
            same[node.outputs[0]] = str(source.inputs[0])
    return _renamed(graph, same, set(same))


def _narrowed(graph: Graph, state: State) -> Graph:
    readers, last = graph.consumers()[state.before], graph.producers().get(state.after)
    if last is None or last.op != "dequantize" or not readers or state.before in graph.kept:
        return graph
    if not all(node.op == "quantize" and _is_round_trip(graph, last, node) for node in readers):
        return graph
    results = {node.outputs[0] for node in readers}
    if not results.isdisjoint(graph.kept):
        return graph
    bound = graph.bind(readers[0])
    (initial,) = run_node(bound, [state.initial[None]])
    before = replace(bound.output, name=state.before, value_range=None)
    narrow = State(state.before, str(last.inputs[0]), initial[0])
    states = tuple(narrow if other is state else other for other in graph.states)
    changed = replace(graph, states=states, tensors={**graph.tensors, before.name: before})
    return check(_renamed(changed, dict.fromkeys(results, state.before), results))


def _renamed(graph: Graph, names: Mapping[str, str], dropped: set[str]) -> Graph:
    """What read those tensors reads the others; without the nodes that wrote them."""
    nodes = tuple(node.renamed(names) for node in graph.nodes if node.outputs[0] not in dropped)
    return graph.with_(nodes=nodes) if names else graph


def _is_round_trip(graph: Graph, dequantize: Node, quantize: Node) -> bool:
    """Whether the one undoes the other, for every value of the type."""
    there, back = graph.bind(dequantize), graph.bind(quantize)
    q, again = there.input(0), back.output
    if (q.dtype, q.quant) != (again.dtype, again.quant) or q.dtype not in ("int8", "int16"):
        return False
    limits = np.iinfo(q.dtype)
    every = np.arange(limits.min, limits.max + 1).astype(q.dtype).reshape(-1, *(1 for _ in q.shape))
    return bool(np.array_equal(_run(back, _run(there, every)), every))


def _run(node: BoundNode, values: np.ndarray) -> np.ndarray:
    return run_node(node, [values])[0]
