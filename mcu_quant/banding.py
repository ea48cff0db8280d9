"""Which layers of a graph run in bands, so that its arena fits a limit."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mcu_quant.bands.choice import KernelChoice
from mcu_quant.bands.kernel import BandsKernel
from mcu_quant.bands.program import is_aligned
from mcu_quant.bands.schedule import Schedule
from mcu_quant.bands.segment import BandedSegment, Segment, VariantPool, find_segments
from mcu_quant.deployment import GenerateOptions
from mcu_quant.ir import Graph, Node, check
from mcu_quant.kernels import usable_kernels
from mcu_quant.kernels.base import Core, Kernel
from mcu_quant.memory import Block, find_blocks, footprints, least_bytes
from mcu_quant.ops.bands import BANDS, BandsAttrs

#: Bands of so many rows are tried.
_ROWS = (1, 2, 4, 8, 16)
#: So many segments are worked out for a layer that is too large, the most promising first.
_TRIED = 24
#: So many of them are tried as the first, the others following from it.
_FIRST = 3

#: A graph, and for each node its kernels, the cheapest first.
Choices = tuple[Graph, list[tuple[Kernel, ...]]]


@dataclass(frozen=True)
class _Candidate:
    """kernels: the cheapest first, where any fits those that do. bytes: what its steps need.

    extra: cycles of the cheapest more than without bands.
    """

    indices: range
    kernels: tuple[BandsKernel, ...]
    bytes: int
    extra: float


class Banding:
    """able: for each node its kernels, the cheapest first. families: of kernels; the core's if None."""

    def __init__(
        self,
        graph: Graph,
        able: Sequence[tuple[Kernel, ...]],
        core: Core,
        options: GenerateOptions,
        families: tuple[str, ...] | None,
    ) -> None:
        self._graph, self._able, self._core = graph, list(able), core
        self._options = options
        self._choice = KernelChoice(core, usable_kernels(core, options.optimize, families), options.optimize)
        self._pool = VariantPool()
        self._known: dict[tuple[str, str, int], tuple[BandsKernel, ...]] = {}

    def ways(self, ram: int) -> Iterator[Choices]:
        """Graphs with bands for the layers that take more than `ram`: with their cheapest kernels, or any.

        The first has bands wherever they make the largest layer smaller, whatever the cost: it is the only
        one if even that is too large.
        """
        graph, able = smallest = self._band(0, lean=True)
        yield smallest
        if max(_Situation(graph, able, True, self._core, self._options).needs, default=0) <= ram:
            for lean in (False, True):
                yield from (self._band(ram, lean, first) for first in range(_FIRST))

    def _band(self, ram: int, lean: bool, first: int = 0) -> Choices:
        """The layer that needs most runs in bands, then the next. first: which segment is the first."""
        graph, able = self._graph, self._able
        given_up: set[str] = set()
        while True:
            situation = _Situation(graph, able, lean, self._core, self._options)
            worst = situation.worst(given_up)
            if worst is None or situation.needs[worst] <= ram:
                return graph, able
            ranked = _ranked(self._candidates(situation, worst, ram), ram)
            best = ranked[min(first, len(ranked) - 1)] if ranked else None
            if best is not None and best.bytes < situation.needs[worst]:
                graph, able = with_bands(graph, able, best.indices, best.kernels)
                first = 0
            elif ram:
                given_up.add(graph.nodes[worst].name)
            else:
                return graph, able

    def _candidates(self, situation: _Situation, worst: int, ram: int) -> Iterator[_Candidate]:
        """Segments with that layer, worked out."""
        for indices, segment, schedule in _promising(situation, worst, ram):
            kernels = self._kernels(segment, schedule)
            needs = [situation.with_bands(indices, kernel) for kernel in kernels]
            cheapest = next((i for i, need in enumerate(needs) if need <= ram), 0)
            if kernels:
                extra = kernels[cheapest].cycles(situation.nodes[indices.start], self._core)
                extra -= sum(situation.cycles(i) for i in indices)
                size = needs[cheapest] if needs[cheapest] <= ram else min(needs)
                yield _Candidate(indices, kernels[cheapest:], size, extra)

    def _kernels(self, segment: Segment, schedule: Schedule) -> tuple[BandsKernel, ...]:
        key = (segment.nodes[0].name, segment.nodes[-1].name, schedule.rows)
        if key not in self._known:
            banded = BandedSegment(segment, schedule, self._pool)
            self._known[key] = tuple(self._choice.kernels(banded)) if is_aligned(banded) else ()
        return self._known[key]


def _ranked(found: Iterable[_Candidate], ram: int) -> list[_Candidate]:
    """The best of each segment: those that fit by their cost; if none does, the smallest first."""
    candidates = list(found)
    fitting = [candidate for candidate in candidates if candidate.bytes <= ram]
    if fitting:
        ordered = sorted(fitting, key=lambda candidate: (candidate.extra, candidate.bytes))
    else:
        ordered = sorted(candidates, key=lambda candidate: (candidate.bytes, candidate.extra))
    best: dict[range, _Candidate] = {}
    for candidate in ordered:
        best.setdefault(candidate.indices, candidate)
    return list(best.values())


def _promising(situation: _Situation, worst: int, ram: int) -> list[tuple[range, Segment, Schedule]]:
    """Segments with that layer: those that may fit, by calls; or else by what they need."""
    found = []
    for indices, segment in find_segments(situation.graph, worst):
        beside = situation.beside(indices, segment)
        if beside + segment.least_bytes >= situation.needs[worst] or not situation.has_input(segment):
            continue
        for rows in (rows for rows in _ROWS if rows < segment.height):
            schedule = Schedule(segment.stages, rows)
            least = beside + segment.live_bytes(schedule)
            if least < situation.needs[worst]:
                found.append((least, schedule.bands * len(indices), indices, segment, schedule))
    fitting = sorted((f for f in found if f[0] <= ram), key=lambda f: f[1])
    return [f[2:] for f in (fitting or sorted(found, key=lambda f: f[:2]))[:_TRIED]]


class _Situation:
    """What every layer of a graph needs: with its cheapest kernel, or (lean) with that which needs least.

    able: for each node its kernels, the cheapest first. needs: bytes, of each node.
    """

    def __init__(
        self, graph: Graph, able: Sequence[Sequence[Kernel]], lean: bool, core: Core, options: GenerateOptions
    ) -> None:
        self.graph, self._able, self._core, self._optimize = graph, able, core, options.optimize
        self.nodes = list(graph.bound_nodes())
        sizes = footprints(graph, able, options.keep_input)
        kernels = [
            choices[size.index(min(size)) if lean else 0] for choices, size in zip(able, sizes, strict=True)
        ]
        self._blocks = find_blocks(graph, kernels, options.keep_input)
        self.needs = [least_bytes(self._blocks, step) for step in range(len(self.nodes))]

    def worst(self, given_up: Container[str]) -> int | None:
        """The layer that needs most, but for those."""
        left = [index for index, node in enumerate(self.nodes) if node.name not in given_up]
        return max(left, key=lambda index: self.needs[index], default=None)

    def cycles(self, index: int) -> float:
        """Of a layer as it is, with its cheapest kernel."""
        return self._able[index][0].cycles_in(self.nodes[index], self._core, self._optimize)

    def has_input(self, segment: Segment) -> bool:
        """Whether the segment's input is in the arena: it may be a constant's bytes."""
        (source,) = segment.graph.inputs
        return any(source in block.tensors for block in self._blocks)

    def beside(self, indices: range, segment: Segment) -> int:
        """Bytes that live along with those nodes and are none of theirs."""
        theirs = {stage.output for stage in segment.stages} | set(segment.graph.inputs)
        return sum(
            block.bytes
            for block in self._blocks
            if block.tensors and theirs.isdisjoint(block.tensors) and _meets(block, indices)
        )

    def with_bands(self, indices: range, kernel: BandsKernel) -> int:
        """What those nodes need as one that runs in bands."""
        segment, layout = kernel.banded.segment, kernel.layout
        (source,), (output,) = segment.graph.input_tensors(), segment.graph.output_tensors()
        (block,) = (block for block in self._blocks if source.name in block.tensors)
        size = layout.bytes + source.bytes + output.bytes
        if block.last < indices.stop:
            size = min(size, max(layout.extent + source.bytes, layout.bytes + output.bytes))
        return self.beside(indices, segment) + size


def _meets(block: Block, indices: range) -> bool:
    return block.first < indices.stop and indices.start <= block.last


def with_bands(
    graph: Graph, able: Sequence[tuple[Kernel, ...]], indices: range, kernels: tuple[BandsKernel, ...]
) -> Choices:
    """The graph with those nodes, a segment, as one. kernels: ways to compute it, the cheapest first."""
    schedule, inner = kernels[0].banded.schedule, kernels[0].banded.segment.graph
    name = f"{inner.nodes[0].name} to {inner.nodes[-1].name}"
    node = Node(name, BANDS.name, BandsAttrs(inner, schedule.rows), inner.inputs, inner.outputs)
    fused = graph.with_(nodes=(*graph.nodes[: indices.start], node, *graph.nodes[indices.stop :]))
    return check(fused), [*able[: indices.start], kernels, *able[indices.stop :]]
