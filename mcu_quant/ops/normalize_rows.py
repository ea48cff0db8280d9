"""normalize_rows: a layer normalization in int16 as one node. Made for a deployment; no file has it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Tensor
from mcu_quant.ops.add import sum_multipliers
from mcu_quant.ops.base import Operator, Shape
from mcu_quant.ops.mul import product_multiplier
from mcu_quant.ops.normalization_chain import Chain, normalization_chains
from mcu_quant.ops.unary import rescale_multiplier

#: The multiplier of a power of two.
_HALF = 1 << 30


@dataclass(frozen=True, eq=False)
class NormalizeRowsAttrs:
    """graph: the nodes, from one input to one output of its shape: the chain alone (int16), or between its
    converters (int8).
    """

    graph: Graph

    @property
    def chain(self) -> Chain:
        (chain,) = normalization_chains(self.graph)
        return chain

    @property
    def converters(self) -> tuple[BoundNode, BoundNode] | None:
        """From and to int8."""
        found = [node for node in self.graph.bound_nodes() if node.node.op == "quantize"]
        return (found[0], found[1]) if found else None

    @property
    def layers(self) -> tuple[tuple[str, str], ...]:
        return tuple((node.name, node.op) for node in self.graph.nodes)

    @property
    def summary(self) -> str:
        return "one kernel for " + ", ".join(op for _, op in self.layers)


class NormalizeRows(Operator):
    """Input: x, int8 or int16, of any shape. What it computes is what its graph does."""

    name = "normalize_rows"
    attrs_type = NormalizeRowsAttrs
    is_internal = True

    def output_shapes(self, attrs: NormalizeRowsAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (input_shapes[0],)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        raise NotImplementedError(self.name)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        from mcu_quant.ops.interpreter import run_graph

        return tuple(run_graph(node.attrs.graph, [x for x in inputs if x is not None]))


NORMALIZE_ROWS = NormalizeRows()


@dataclass(frozen=True, eq=False)
class Candidate:
    """Nodes that can be one: a chain, and the converters before and behind it."""

    chain: Chain
    nodes: tuple[BoundNode, ...]

    @property
    def source(self) -> Tensor:
        return self.nodes[0].input(0)


def candidates(graph: Graph) -> Iterator[Candidate]:
    """Chains of int16 over rows (the last axes, with gamma and beta along them), of scales of the quantizer's
    kind.
    """
    producers, readers = graph.producers(), graph.consumers()
    for chain in normalization_chains(graph):
        if not (_is_of_rows(chain) and _has_shifts(chain)):
            continue
        nodes, output = chain.nodes, chain.last.output.name
        before = producers.get(chain.source)
        behind = [graph.bind(reader) for reader in readers[output]]
        if output not in graph.kept and len(behind) == 1 and _narrows(behind[0]) and before is not None:
            first = graph.bind(before)
            if _widens(first, chain):
                nodes = (first, *nodes, behind[0])
        if nodes[0].input(0).dtype == nodes[-1].output.dtype:
            yield Candidate(chain, nodes)


def row_size(chain: Chain) -> int:
    return math.prod(chain.squares.input(0).shape[axis] for axis in chain.axes)


def _is_of_rows(chain: Chain) -> bool:
    shape, axes = chain.squares.input(0).shape, chain.axes
    constants = [node.input(1) for node in (chain.scaled, chain.shifted) if node is not None]
    along = shape[len(shape) - len(axes) :]
    return (
        axes == tuple(range(len(shape) - len(axes), len(shape)))
        and all(node.output.dtype == "int16" for node in chain.nodes)
        and all(c.elements == row_size(chain) and c.shape[-len(axes) :] == along for c in constants)
    )


def _has_shifts(chain: Chain) -> bool:
    """Whether products are shifted to the right by two or more, sums and differences are of one scale, and
    shifted to the right."""
    sums = [node for node in (chain.centered, chain.shifted) if node is not None]
    products = [node for node in (chain.squares, chain.normalized, chain.scaled) if node is not None]
    alike = all(node.input(0).scale == node.input(1).scale for node in sums)
    right = all(sum_multipliers(node).output[1] < 0 for node in sums)
    multipliers = [product_multiplier(node) for node in products]
    return alike and right and all(multiplier == _HALF and shift < 0 for multiplier, shift in multipliers)


def _narrows(node: BoundNode) -> bool:
    types = node.input(0).dtype, node.output.dtype
    return node.node.op == "quantize" and types == ("int16", "int8") and rescale_multiplier(node)[1] <= 0


def _widens(node: BoundNode, chain: Chain) -> bool:
    """By a shift to the left, where a mean is taken off what it gives."""
    types = node.input(0).dtype, node.output.dtype
    is_converter = node.node.op == "quantize" and types == ("int8", "int16")
    return is_converter and (chain.mean is None or widening_shift(node) is not None)


def widening_shift(converter: BoundNode) -> int | None:
    """How far integers are shifted to the left; None if they are not."""
    multiplier, shift = rescale_multiplier(converter)
    return shift - 1 if multiplier == _HALF and 1 <= shift <= 7 else None
