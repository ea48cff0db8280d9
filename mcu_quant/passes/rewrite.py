"""What passes need to look at a graph and to change it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, Tensor, check, unique_name


@dataclass
class View:
    """A graph with its readers and producers at hand, and tensors to be added to it."""

    graph: Graph
    readers: dict[str, list[Node]] = field(init=False)
    producers: dict[str, Node] = field(init=False)
    added: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.readers, self.producers = self.graph.consumers(), self.graph.producers()

    def producer(self, tensor: str | None) -> BoundNode | None:
        """The node that writes the tensor; None for graph inputs and constants."""
        node = None if tensor is None else self.producers.get(tensor)
        return None if node is None else self.graph.bind(node)

    def only_reader(self, tensor: str) -> BoundNode | None:
        """The node that alone reads the tensor, once; None if others do or it is a graph output."""
        readers = self.readers[tensor]
        if len(readers) != 1 or tensor in self.graph.kept or readers[0].inputs.count(tensor) != 1:
            return None
        return self.graph.bind(readers[0])

    def private_producer(self, tensor: str | None) -> BoundNode | None:
        """The node that writes the tensor, if what it writes is read in one place only."""
        return self.producer(tensor) if tensor is not None and self.only_reader(tensor) is not None else None

    def constant(self, name: str, data: np.ndarray) -> str:
        """A new float32 (or integer) constant; returns its name."""
        array = data.astype(np.float32) if data.dtype.kind == "f" else data
        return self._add(Tensor.constant(unique_name(name, self.graph.tensors, self.added), array))

    def tensor(self, name: str, shape: Sequence[int]) -> str:
        """A new float32 activation; returns its name."""
        return self._add(Tensor(unique_name(name, self.graph.tensors, self.added), tuple(shape)))

    def node_name(self, name: str) -> str:
        """name, or name_N if a node has that name."""
        taken = {node.name for node in self.graph.nodes}
        return unique_name(name, taken)

    def replaced(self, replacements: Mapping[str, Iterable[Node]]) -> Graph:
        """The graph with those nodes (by name) replaced by others (none: removed) and the new tensors."""
        nodes = [new for node in self.graph.nodes for new in replacements.get(node.name, (node,))]
        tensors = {**self.graph.tensors, **self.added}
        return self.graph.with_(nodes=tuple(nodes), tensors=tensors)

    def _add(self, tensor: Tensor) -> str:
        self.added[tensor.name] = tensor
        return tensor.name


#: Looks at one node; returns the changed graph, or None if there is nothing to do there.
Rule = Callable[[View, BoundNode], "Graph | None"]


def apply_everywhere(graph: Graph, rule: Rule) -> Graph:
    """Apply a rule until it finds nothing more to do. Every rule must come to an end."""
    while True:
        view = View(graph)
        found = (rule(view, node) for node in graph.bound_nodes())
        changed = next((new for new in found if new is not None), None)
        if changed is None:
            return graph
        graph = check(changed)
