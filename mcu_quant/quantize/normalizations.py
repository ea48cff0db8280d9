"""Layer normalization in integers: as int16 between converters, in scales that are powers of two.

The variances of rows, and the inverses of their roots, are int16 too: where the largest variance is more than
LARGEST_RATIOS times the smallest, the steps would be too coarse for that, and the layer is float32. A row of
int8 that deviates by less than its scale is noise, and does not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import INT16_MAX
from mcu_quant.ir import BoundNode, Graph, QuantParams
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.normalization_chain import Chain, normalization_chains
from mcu_quant.quantize.activation_types import INT8, INT16, ActivationType
from mcu_quant.quantize.kinds import Kind, Kinds
from mcu_quant.quantize.operands import key
from mcu_quant.quantize.ranges import Ranges

#: Of variances, the largest to the smallest, by the type of the activations around: so many 32767ths are an
#: error of 3 % (a third of a step of int8 in what has so few), or of 0.1 %.
LARGEST_RATIOS = {"int8": 2048.0, "int16": 64.0}
#: int16 steps in one of int8 whose mean is taken off: no difference of two int8 numbers saturates.
_FINER = 64
#: And in one of int8 that leaves: its 255 steps to either side are all of int16.
_STEPS = 128
#: LiteRT's SUB of int16 cannot broadcast where all scales are powers of two.
_BESIDE = 1.0 + 2.0**-10
#: Of int8's noise, the least deviation that the inverse must reach.
_LEAST_DEVIATION = 0.25


def with_normalizations(graph: Graph, ranges: Ranges, kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """The kind of each node: those of normalizations int16 where that is enough, else float32.

    graph: float, with normalizations as several nodes; kinds: of all, integer for those that may be.
    """
    found: dict[str, Kind] = {}
    for chain in normalization_chains(graph):
        kind = kinds[chain.last.name]
        if kind is not None:
            chosen = INT16 if _is_even(chain, ranges, kind) else None
            found |= {node.name: chosen for node in chain.nodes}
    return {**kinds, **found}


def _is_even(chain: Chain, ranges: Ranges, kind: ActivationType) -> bool:
    """Whether the variances in calibration are near enough to each other."""
    least, largest = ranges[chain.bounded.output.name]
    low, high = ranges[chain.source]
    noise = ((high - low) / 255.0) ** 2 if kind is INT8 else 0.0
    return largest <= LARGEST_RATIOS[kind.dtype] * max(least, noise)


def normalization_schemes(
    graph: Graph, ranges: Ranges, schemes: Mapping[str, QuantParams], kinds: Kinds
) -> dict[str, QuantParams]:
    """The schemes of what is inside int16 normalizations, by key, in place of those in `schemes`."""
    found: dict[str, QuantParams] = {}
    for chain in normalization_chains(graph):
        if all(kinds.of_node(node.name) is INT16 for node in chain.nodes):
            edges = _edges(graph, chain, schemes)
            scales = _Scales(chain, ranges, edges).all()
            found |= {name: QuantParams.per_tensor(scale) for name, scale in scales}
    return found


@dataclass(frozen=True)
class _Edges:
    """source: the scale of what is normalized; from_int8: it is that of int8, which is converted first.

    last: the scale of what leaves; None if any will do.
    """

    source: float
    from_int8: bool
    last: float | None


def _edges(graph: Graph, chain: Chain, schemes: Mapping[str, QuantParams]) -> _Edges:
    """A sum that leaves for int8 alone has the finest scale that holds all of int8, and is then shifted."""
    producer, output = graph.producers().get(chain.source), chain.last.output.name
    before = producer.inputs[0] if producer is not None and producer.op == "quantize" else None
    from_int8 = before is not None and before in schemes
    readers = graph.consumers()[output]
    last: float | None = schemes[output].scale[0]
    if output not in graph.kept and [reader.op for reader in readers] == ["quantize"]:
        last = schemes[readers[0].outputs[0]].scale[0] / _STEPS if chain.shifted is not None else None
    source = schemes[before if from_int8 and before is not None else chain.source].scale[0]
    return _Edges(source, from_int8, last)


@dataclass(frozen=True)
class _Scales:
    """The scales of one chain."""

    chain: Chain
    ranges: Ranges
    edges: _Edges

    def all(self) -> Iterator[tuple[str, float]]:
        """(key, scale)"""
        chain, centre = self.chain, self._of(self.chain.squares.input(0).name)
        if chain.mean is not None and chain.centered is not None:
            x = self.edges.source / (_FINER if self.edges.from_int8 else 1)
            centre *= _BESIDE if math.frexp(x)[0] == 0.5 else 1.0
            yield from ((chain.source, x), (chain.mean.output.name, x), (chain.centered.output.name, centre))
        elif self.edges.from_int8:
            yield chain.source, centre
        else:
            centre = self.edges.source
        yield chain.squares.output.name, self._of(chain.squares.output.name, 4.0 * centre**2)
        inverse = self._inverse()
        yield chain.inverse.output.name, inverse
        yield from self._outputs(centre * inverse)

    def _of(self, name: str, least: float = 0.0) -> float:
        """A power of two that holds the tensor's range, and is at least that."""
        low, high = self.ranges[name]
        return _power_of_two(max(max(abs(low), abs(high)) / INT16_MAX, least))

    def _inverse(self) -> float:
        chain = self.chain
        _, largest = self.ranges[chain.inverse.output.name]
        if self.edges.from_int8:
            largest = min(largest, 1.0 / (_LEAST_DEVIATION * self.edges.source))
        variance = max(map(abs, self.ranges[chain.bounded.output.name])) / INT16_MAX
        least = OPERATORS["rsqrt"].least_output_scale(None, [variance], "int16")
        return _power_of_two(max(largest / INT16_MAX, least))

    def _outputs(self, product: float) -> Iterator[tuple[str, float]]:
        """product: the scale of the centre times the inverse's."""
        chain = self.chain
        for node in (chain.normalized, chain.scaled):
            if node is None:
                continue
            if node is chain.scaled:
                gamma = _power_of_two(_largest(node) / INT16_MAX)
                yield key(node, 1), gamma
                product *= gamma
            product = self._of(node.output.name, 4.0 * product)
            if chain.shifted is not None and node.output.name == chain.shifted.input(0).name:
                product = max(product, _power_of_two(_largest(chain.shifted) / INT16_MAX))
                yield key(chain.shifted, 1), product
            if node is not chain.last or self.edges.last is None:
                yield node.output.name, product
        if self.edges.last is not None:
            yield chain.last.output.name, self.edges.last


def _largest(node: BoundNode) -> float:
    """The largest magnitude of the constant operand."""
    data = node.input(1).data
    assert data is not None
    return float(np.abs(data).max(initial=0.0))


def _power_of_two(least: float) -> float:
    """The smallest that is not below. 2**-60 stands for 0."""
    return float(2.0 ** math.ceil(math.log2(max(least, 2.0**-60))))
