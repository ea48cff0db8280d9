"""The operators that a layer normalization is written as, found in a graph: those of float32, or of int16.

    c = x - mean(x);  y = c * rsqrt(mean(c * c) + epsilon);  y * gamma + beta

Without its mean (root mean square), without gamma or beta too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mcu_quant.ir import BoundNode, Graph, Node


@dataclass(frozen=True)
class Chain:
    """mean, centered, scaled and shifted are None where there is no such part; all parts are in order."""

    mean: BoundNode | None
    centered: BoundNode | None
    squares: BoundNode
    variance: BoundNode
    bounded: BoundNode
    inverse: BoundNode
    normalized: BoundNode
    scaled: BoundNode | None
    shifted: BoundNode | None

    @property
    def nodes(self) -> tuple[BoundNode, ...]:
        parts = (self.mean, self.centered, self.squares, self.variance, self.bounded, self.inverse)
        every = (*parts, self.normalized, self.scaled, self.shifted)
        return tuple(part for part in every if part is not None)

    @property
    def source(self) -> str:
        """The tensor that is normalized."""
        return (self.centered or self.squares).input(0).name

    @property
    def last(self) -> BoundNode:
        return self.nodes[-1]

    @property
    def axes(self) -> tuple[int, ...]:
        """Of each mean."""
        axes: tuple[int, ...] = self.variance.attrs.axes
        return axes


def normalization_chains(graph: Graph) -> Iterator[Chain]:
    """In the graph's order. Nothing else reads what is inside."""
    finder = _Finder(graph)
    for node in graph.bound_nodes():
        if node.node.op == "rsqrt":
            chain = finder.around(node)
            if chain is not None:
                yield chain


class _Finder:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.producers, self.readers = graph.producers(), graph.consumers()

    def around(self, inverse: BoundNode) -> Chain | None:
        bounded = self._made_by(inverse.input(0).name, "add")
        variance = None if bounded is None else self._mean_in(bounded)
        squares = None if variance is None else self._made_by(variance.input(0).name, "mul")
        normalized = self._only_reader(inverse, "mul")
        if bounded is None or variance is None or squares is None or normalized is None:
            return None
        centre = squares.input(0).name
        if squares.node.inputs != (centre, centre) or normalized.node.inputs != (centre, inverse.output.name):
            return None
        mean, centered = self._centering(centre, variance)
        if centered is not None and len({reader.name for reader in self.readers[centre]}) != 2:
            return None
        if any(not self._is_read_once(part) for part in (mean, squares, variance, bounded)):
            return None
        scaled = self._with_constant(normalized, "mul")
        return Chain(
            *(mean, centered, squares, variance, bounded, inverse, normalized, scaled),
            self._with_constant(scaled or normalized, "add"),
        )

    def _mean_in(self, bounded: BoundNode) -> BoundNode | None:
        """The mean that epsilon is added to."""
        epsilon = bounded.input(1)
        if not epsilon.is_constant or epsilon.elements != 1 or not _is_plain(bounded):
            return None
        variance = self._made_by(bounded.input(0).name, "mean")
        return variance if variance is not None and variance.attrs.keepdims else None

    def _centering(self, centre: str, variance: BoundNode) -> tuple[BoundNode | None, BoundNode | None]:
        """(mean, the difference to it), if that is where `centre` comes from."""
        centered = self._made_by(centre, "sub")
        mean = None if centered is None else self._made_by(centered.input(1).name, "mean")
        if centered is None or mean is None or mean.input(0).name != centered.input(0).name:
            return None, None
        fits = mean.attrs == variance.attrs and _is_plain(centered) and centre not in self.graph.kept
        return (mean, centered) if fits else (None, None)

    def _with_constant(self, node: BoundNode, op: str) -> BoundNode | None:
        """The only reader, if it is of that operator and its second operand is a constant."""
        reader = self._only_reader(node, op)
        fits = reader is not None and reader.input(1).is_constant and reader.output.shape == node.output.shape
        return reader if fits else None

    def _made_by(self, tensor: str, op: str) -> BoundNode | None:
        node = self.producers.get(tensor)
        return self.graph.bind(node) if node is not None and node.op == op else None

    def _only_reader(self, node: BoundNode, op: str) -> BoundNode | None:
        readers: list[Node] = self.readers[node.output.name]
        alone = len(readers) == 1 and readers[0].op == op and node.output.name not in self.graph.kept
        reader = self.graph.bind(readers[0]) if alone else None
        return reader if reader is not None and _is_plain(reader) else None

    def _is_read_once(self, node: BoundNode | None) -> bool:
        if node is None:
            return True
        names = {reader.name for reader in self.readers[node.output.name]}
        return len(names) == 1 and node.output.name not in self.graph.kept


def _is_plain(node: BoundNode) -> bool:
    """Whether the node has no fused activation."""
    return bool(getattr(node.attrs, "activation", "none") == "none")
