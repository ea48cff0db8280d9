"""The order of nodes that do not depend on each other, by what is alive meanwhile.

Orders grow by one node at a time; of those that have run the same nodes, the one with the lowest peak is
kept. That is exact while there are no more than _KEPT sets of nodes to keep after any step, and a beam of
that width beyond. Counted, not timed: the result is always the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mcu_quant.ir import Graph, check
from mcu_quant.kernels.base import Kernel, storage_of
from mcu_quant.memory import footprint

_KEPT = 128


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


def best_order(graph: Graph, kernels: Sequence[Kernel], keep_input: bool) -> list[int]:
    """The nodes' indices in the order of the lowest estimated peak, the graph's own if no other is better."""
    steps, buffers = _steps(graph, kernels, keep_input)
    own = list(range(len(steps)))
    # What ran, as bits: the peak until then, and the order.
    states: dict[int, tuple[int, list[int]]] = {0: (0, [])}
    for _ in steps:
        grown: dict[int, tuple[int, list[int]]] = {}
        for ran, (peak, order) in states.items():
            live = sum(b.bytes for b in buffers if _is_live(b, ran))
            for index, step in enumerate(steps):
                if ran & step.bit or step.after & ~ran:
                    continue
                candidate = (max(peak, live + _need(step, ran)), [*order, index])
                known = grown.get(ran | step.bit)
                grown[ran | step.bit] = candidate if known is None else min(known, candidate)
        states = dict(sorted(grown.items(), key=lambda item: item[1])[:_KEPT])
    ((peak, order),) = states.values()
    return order if peak < _peak(steps, buffers, own) else own


def reordered(graph: Graph, order: Sequence[int]) -> Graph:
    return check(replace(graph, nodes=tuple(graph.nodes[index] for index in order)))


def _peak(steps: Sequence[_Step], buffers: Sequence[_Buffer], order: Sequence[int]) -> int:
    peak = ran = 0
    for index in order:
        live = sum(b.bytes for b in buffers if _is_live(b, ran))
        peak = max(peak, live + _need(steps[index], ran))
        ran |= steps[index].bit
    return peak


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
