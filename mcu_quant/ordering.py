"""The order of nodes that do not depend on each other, by what is alive meanwhile.

Orders grow by one node at a time; of those that have run the same nodes, the one with the lowest peak is
kept. That is exact while there are no more than _KEPT sets of nodes to keep after any step, and a beam of
that width beyond. Counted, not timed: the result is always the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from mcu_quant.ir import Graph, check
from mcu_quant.kernels.base import Kernel, storage_of
from mcu_quant.memory import footprint

_KEPT = 128
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Buffer:
    """maker: bit of the node that makes it, 0 for an input. readers: bits. ends: with its last reader."""

    bytes: int
    maker: int
    readers: int
    ends: bool


@dataclass(frozen=True)
class _Step:
    """A node. after: bits of the nodes that have to run before. saved: bytes by overlap if `source` dies."""

    bit: int
    after: int
    scratch: int
    saved: int
    source: _Buffer | None
    made: tuple[_Buffer, ...]


@dataclass(frozen=True)
class _Prefix:
    """The best order of one set of nodes. ran: their bits. live: bytes that are alive behind them.

    ready: nodes that can be next. rank: by its order, among the prefixes of its length that are kept.
    before, last: the order without its last node, and that node.
    """

    ran: int
    peak: int
    live: int
    ready: tuple[int, ...]
    rank: int = 0
    before: _Prefix | None = None
    last: int = -1

    def order(self) -> list[int]:
        nodes, prefix = [], self
        while prefix.before is not None:
            nodes.append(prefix.last)
            prefix = prefix.before
        return nodes[::-1]


class _Growth:
    """What a node changes: found from its own buffers and successors, not from all."""

    def __init__(self, steps: Sequence[_Step], buffers: Sequence[_Buffer]) -> None:
        self.steps = steps
        self._touched = _by_bits([(b.maker | b.readers, b) for b in buffers], len(steps))
        self._successors = _by_bits([(step.after, i) for i, step in enumerate(steps)], len(steps))
        live = sum(b.bytes for b in buffers if _is_live(b, 0))
        self.empty = _Prefix(0, 0, live, tuple(i for i, step in enumerate(steps) if not step.after))

    def peak(self, prefix: _Prefix, index: int) -> int:
        return max(prefix.peak, prefix.live + _need(self.steps[index], prefix.ran))

    def grown(self, prefix: _Prefix, index: int, rank: int = 0) -> _Prefix:
        ran = prefix.ran | self.steps[index].bit
        changes = (b.bytes * (_is_live(b, ran) - _is_live(b, prefix.ran)) for b in self._touched[index])
        freed = tuple(i for i in self._successors[index] if not self.steps[i].after & ~ran)
        ready = (*(i for i in prefix.ready if i != index), *freed)
        peak = self.peak(prefix, index)
        return _Prefix(ran, peak, prefix.live + sum(changes), ready, rank, prefix, index)


def best_order(graph: Graph, kernels: Sequence[Kernel], keep_input: bool) -> list[int]:
    """The nodes' indices in the order of the lowest estimated peak, the graph's own if no other is better."""
    steps, buffers = _steps(graph, kernels, keep_input)
    own = list(range(len(steps)))
    growth = _Growth(steps, buffers)
    kept = [growth.empty]
    for _ in steps:
        # By what ran: the lowest peak, of these the first order, which is (rank without the last, the last).
        found: dict[int, tuple[int, int, int]] = {}
        by_rank = {prefix.rank: prefix for prefix in kept}
        for prefix in kept:
            for index in prefix.ready:
                ran, candidate = (
                    prefix.ran | steps[index].bit,
                    (growth.peak(prefix, index), prefix.rank, index),
                )
                found[ran] = min(found.get(ran, candidate), candidate)
        best = sorted(found.values())[:_KEPT]
        orders = sorted((rank, index) for _, rank, index in best)
        kept = [growth.grown(by_rank[rank], index, i) for i, (rank, index) in enumerate(orders)]
    (last,) = kept
    return last.order() if last.peak < _peak(steps, buffers, own) else own


def reordered(graph: Graph, order: Sequence[int]) -> Graph:
    return check(replace(graph, nodes=tuple(graph.nodes[index] for index in order)))


def _peak(steps: Sequence[_Step], buffers: Sequence[_Buffer], order: Sequence[int]) -> int:
    growth = _Growth(steps, buffers)
    prefix = growth.empty
    for index in order:
        prefix = growth.grown(prefix, index)
    return prefix.peak


def _by_bits(values: Iterable[tuple[int, _T]], count: int) -> list[list[_T]]:
    """For each of `count` bits, the values that are given with it."""
    found: list[list[_T]] = [[] for _ in range(count)]
    for bits, value in values:
        while bits:
            lowest = bits & -bits
            found[lowest.bit_length() - 1].append(value)
            bits ^= lowest
    return found


def _is_live(buffer: _Buffer, ran: int) -> bool:
    is_born = not buffer.maker or bool(ran & buffer.maker)
    return is_born and not (buffer.ends and not buffer.readers & ~ran)


def _need(step: _Step, ran: int) -> int:
    """Bytes beside what is alive before the step."""
    source = step.source
    dies = source is not None and source.ends and not source.readers & ~(ran | step.bit)
    return step.scratch + sum(buffer.bytes for buffer in step.made) - (step.saved if dies else 0)


def _steps(graph: Graph, kernels: Sequence[Kernel], keep_input: bool) -> tuple[list[_Step], list[_Buffer]]:
    storage = storage_of(graph, kernels)
    maker = {name: index for index, node in enumerate(graph.nodes) for name in node.outputs}
    readers: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        for name in node.inputs:
            if name is not None:
                readers[storage[name]] = readers.get(storage[name], 0) | 1 << index
    lasting = {storage[name] for name in (*graph.outputs, *(graph.inputs if keep_input else ()))}
    buffers = {
        root: _Buffer(
            graph.tensors[root].bytes,
            1 << maker[root] if root in maker else 0,
            readers.get(root, 0),
            root not in lasting,
        )
        for root in sorted(set(storage.values()) - {state.before for state in graph.states})
        if not graph.tensors[root].is_constant
    }
    around = _around_writers(graph, kernels, storage)
    steps = []
    for index, (bound, kernel) in enumerate(zip(graph.bound_nodes(), kernels, strict=True)):
        names = [name for name in bound.node.inputs if name is not None]
        read = {storage[name] for name in names if storage[name] in buffers}
        made = tuple(buffers[name] for name in bound.node.outputs if storage[name] == name)
        scratch = kernel.scratch_bytes(bound)
        apart = sum(buffers[root].bytes for root in read) + sum(b.bytes for b in made) + scratch
        after = around[index]
        for name in names:
            after |= 1 << maker[name] if name in maker else 0
        source = next((buffers[storage[n]] for n in names if storage[n] in buffers), None)
        saved = max(apart - footprint(bound, kernel), 0) if made else 0
        steps.append(_Step(1 << index, after, scratch, saved, source, made))
    return steps, list(buffers.values())


def _around_writers(graph: Graph, kernels: Sequence[Kernel], storage: Mapping[str, str]) -> list[int]:
    """For each node, bits of those that stay before it: who reads a place, on its side of each new value."""
    before = [0] * len(graph.nodes)
    readers: dict[str, list[int]] = {}
    for index, node in enumerate(graph.nodes):
        for name in node.inputs:
            if name is not None:
                readers.setdefault(storage[name], []).append(index)
    for index, (node, kernel) in enumerate(zip(graph.nodes, kernels, strict=True)):
        places = [] if kernel.is_alias else [storage[n] for n in node.outputs if storage[n] != n]
        for reader in (reader for place in places for reader in readers.get(place, ())):
            if reader < index:
                before[index] |= 1 << reader
            elif reader > index:
                before[reader] |= 1 << index
    return before
