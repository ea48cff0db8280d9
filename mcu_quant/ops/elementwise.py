"""What of a graph is, element by element, a function of one tensor; from a byte to a byte that is a table."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops import OPERATORS

_BYTES = ("int8", "uint8")


@dataclass(frozen=True)
class Chain:
    """Nodes that together make each element of `target` of one element of `source`, in the graph's order."""

    source: str
    target: str
    nodes: tuple[Node, ...]


def element_sources(graph: Graph) -> dict[str, str]:
    """For every activation the tensor that each of its elements is a function of one element of.

    As far back as that goes; itself if there is none.
    """
    sources = {name: name for name in graph.sources}
    for node in graph.bound_nodes():
        found = {sources[name] for name in varying(node)}
        alone = found.pop() if len(found) == 1 and is_of_one_element(node) else None
        sources |= {name: name if alone is None else alone for name in node.node.outputs}
    return sources


def varying(node: BoundNode) -> list[str]:
    """The inputs that are not constant, one entry for each position."""
    return [tensor.name for tensor in node.inputs if tensor is not None and not tensor.is_constant]


def is_of_one_element(node: BoundNode) -> bool:
    """Whether an output's element depends on one of each input that varies: constants have one element."""
    if not OPERATORS[node.node.op].is_elementwise:
        return False
    elements = node.output.elements
    present = [tensor for tensor in node.inputs if tensor is not None]
    return all(tensor.elements == (1 if tensor.is_constant else elements) for tensor in present)


def byte_chains(graph: Graph) -> list[Chain]:
    """What a table of 256 bytes can take the place of: several nodes, or one that reads its input twice.

    One for each tensor of bytes that others than such nodes read, from the nearest that is made anyway.
    """
    return list(_Chains(graph).found())


class _Chains:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.sources = element_sources(graph)
        self.producers = {name: node for node in graph.bound_nodes() for name in node.node.outputs}
        self.made = self._made()

    def found(self) -> Iterator[Chain]:
        for node in self.graph.bound_nodes():
            for target in node.node.outputs:
                if target in self.made and self._is_table(target):
                    chain = self._chain(target)
                    if len(chain.nodes) > 1 or len(varying(node)) > 1:
                        yield chain

    def _is_table(self, name: str) -> bool:
        """Whether a byte decides it, and it is one."""
        tensors, source = self.graph.tensors, self.sources[name]
        return source != name and tensors[source].dtype in _BYTES and tensors[name].dtype in (*_BYTES, "bool")

    def _made(self) -> set[str]:
        """What exists in memory once tables are: what others read, and what that is computed of."""
        made = {*self.graph.sources, *self.graph.kept}
        for node in reversed(list(self.graph.bound_nodes())):
            for name in node.node.outputs:
                if name in made and not self._is_table(name):
                    made.update(varying(node))
                elif name in made:
                    made.add(self.sources[name])
        return made

    def _chain(self, target: str) -> Chain:
        source = self.sources[target]
        nodes, ends = self._between(target, self.made)
        if len(ends) > 1 or self.graph.tensors[next(iter(ends))].dtype not in _BYTES:
            nodes, ends = self._between(target, ())
        source = ends.pop()
        return Chain(source, target, tuple(node for node in self.graph.nodes if node.name in nodes))

    def _between(self, target: str, made: Container[str]) -> tuple[set[str], set[str]]:
        """(names of the nodes, tensors that they begin with), from the source or what is made on."""
        nodes: set[str] = set()
        ends: set[str] = set()
        waiting = [target]
        while waiting:
            name = waiting.pop()
            is_made = name in made and self.graph.tensors[name].dtype in _BYTES
            if name == self.sources[target] or (is_made and name != target):
                ends.add(name)
            elif (node := self.producers[name]).name not in nodes:
                nodes.add(node.name)
                waiting += varying(node)
        return nodes, ends
