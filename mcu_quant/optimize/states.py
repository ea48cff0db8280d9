"""States get places of their own, and each is changed there when nothing needs its old value any more.

In a deployment a state is in the state block before and after the run. Operators with states of their own
(Operator.state_inputs) change them where they are; whatever else becomes a state is copied there by the last
nodes of the graph. `kernels.base.storage_of` says the same of places.
"""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import Graph, Node, Tensor, check, unique_name
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.copy import COPY
from mcu_quant.ops.mover import Mover


def place_states(graph: Graph) -> Graph:
    """The graph with the copies that this needs, and no more; outputs are not in the state block."""
    return _Placing(graph).placed()


class _Placing:
    """place: for each tensor, the first of those whose bytes it may be, as far as the nodes have been placed:
    what moves elements may move none. state: for what an operator's own state becomes, the tensor that it is
    the new value of."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.tensors = dict(graph.tensors)
        self.nodes: list[Node] = []
        self.names = {node.name for node in graph.nodes}
        self.place = {name: name for name in graph.tensors}
        self.state = {name: name for name in graph.tensors}

    def placed(self) -> Graph:
        for index, node in enumerate(self.graph.nodes):
            self.nodes.append(self._with_own_states(index, node))
            if isinstance(OPERATORS[node.op], Mover) and node.op != COPY.name and node.inputs[0] is not None:
                self.place[node.outputs[0]] = self.place[node.inputs[0]]
        graph = self.graph
        places = {state.before for state in graph.states}
        moved = [state for state in graph.states if self.state[state.after] != state.before]
        outputs = tuple(self._copy(n) if self.place[n] in places else n for n in graph.outputs)
        # First what is another state's value: its place may be the next to be written.
        values = [self._copy(s.after) if self.place[s.after] in places else s.after for s in moved]
        stored = {s.before: self._copy(value) for s, value in zip(moved, values, strict=True)}
        states = tuple(replace(s, after=stored.get(s.before, s.after)) for s in graph.states)
        nodes = tuple(self.nodes)
        return check(graph.with_(nodes=nodes, tensors=self.tensors, outputs=outputs, states=states))

    def _with_own_states(self, index: int, node: Node) -> Node:
        """The node, changing states that are its own to change: copies, where others need the old ones."""
        inputs = list(node.inputs)
        for position, output in OPERATORS[node.op].state_inputs.items():
            name = inputs[position] if position < len(inputs) else None
            if name is None:
                continue
            if self._is_needed(name, index, node):
                inputs[position] = name = self._copy(name)
            self.state[node.outputs[output]] = self.state[name]
            self.place[node.outputs[output]] = self.place[name]
        return replace(node, inputs=tuple(inputs))

    def _is_needed(self, name: str, index: int, node: Node) -> bool:
        if self.tensors[name].is_constant:
            return True
        same = {other for other, first in self.place.items() if first == self.place[name]}
        later = [read for other in self.graph.nodes[index + 1 :] for read in other.inputs]
        return bool(same.intersection((*later, *self.graph.kept))) or node.inputs.count(name) > 1

    def _copy(self, name: str) -> str:
        source = self.tensors[name]
        copied = unique_name(f"{name}/copy", self.tensors)
        self.tensors[copied] = Tensor(copied, source.shape, source.dtype, source.quant)
        node = Node(unique_name(copied, self.names), COPY.name, None, (name,), (copied,))
        self.names.add(node.name)
        self.nodes.append(node)
        self.place[copied] = self.state[copied] = copied
        return copied
