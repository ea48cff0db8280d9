"""Which layers of a graph run in bands, so that its arena fits a limit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from mcu_quant.memory import Block, find_blocks, least_bytes
from mcu_quant.ops.bands import BANDS, BandsAttrs

#: Bands of so many rows are tried.
_ROWS = (1, 2, 4, 8, 16)
#: So many segments are worked out for a layer that is too large, the most promising first.
_TRIED = 24

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
        self._keep_input = options.keep_input
        self._choice = KernelChoice(core, usable_kernels(core, options.optimize, families))
        self._pool = VariantPool()

    def cheapest(self, ram: int) -> Choices:
        """Bands for layers that take more than `ram` whatever their kernels, at the least cost."""
        return self._band(ram)

    def smallest(self) -> Choices:
        """Bands wherever they make the largest layer smaller, whatever the cost."""
        return self._band(0)

    def _band(self, ram: int) -> Choices:
        situation = _Situation(self._graph, self._able, self._core, self._keep_input)
        while (need := situation.need) > ram:
            found = list(self._candidates(situation, ram))
            fitting = [candidate for candidate in found if candidate.bytes <= ram]
            if fitting:
                best = min(fitting, key=lambda candidate: (candidate.extra, candidate.bytes))
            elif found:
                best = min(found, key=lambda candidate: (candidate.bytes, candidate.extra))
            if not found or best.bytes >= need:
                break
            choices = with_bands(situation.graph, situation.able, best.indices, best.kernels)
            situation = _Situation(*choices, self._core, self._keep_input)
        return situation.graph, situation.able

    def _candidates(self, situation: _Situation, ram: int) -> Iterator[_Candidate]:
        """Segments with the layer that needs most, worked out."""
        for indices, segment, schedule in _promising(situation, ram):
            banded = BandedSegment(segment, schedule, self._pool)
            kernels = tuple(self._choice.kernels(banded)) if is_aligned(banded) else ()
            needs = [situation.with_bands(indices, kernel) for kernel in kernels]
            first = next((i for i, need in enumerate(needs) if need <= ram), 0)
            if kernels:
                extra = kernels[first].cycles(situation.nodes[indices.start], self._core)
                extra -= sum(situation.cycles(i) for i in indices)
                size = needs[first] if needs[first] <= ram else min(needs)
                yield _Candidate(indices, kernels[first:], size, extra)


def _promising(situation: _Situation, ram: int) -> list[tuple[range, Segment, Schedule]]:
    """Segments with the layer that needs most: those that may fit, by calls; or else by what they need."""
    found = []
    for indices, segment in find_segments(situation.graph, situation.worst):
        beside = situation.beside(indices, segment)
        if beside + segment.least_bytes >= situation.need or not situation.has_input(segment):
            continue
        for rows in (rows for rows in _ROWS if rows < segment.height):
            schedule = Schedule(segment.stages, rows)
            least = beside + segment.live_rows_bytes(schedule)
            if least < situation.need:
                found.append((least, schedule.bands * len(indices), indices, segment, schedule))
    fitting = sorted((f for f in found if f[0] <= ram), key=lambda f: f[1])
    return [f[2:] for f in (fitting or sorted(found, key=lambda f: f[:2]))[:_TRIED]]


class _Situation:
    """A graph with its kernels of the least scratch: what every layer needs at least.

    able: for each node its kernels, the cheapest first. worst: the layer that needs most, `need` bytes.
    """

    def __init__(self, graph: Graph, able: list[tuple[Kernel, ...]], core: Core, keep_input: bool) -> None:
        self.graph, self.able, self._core = graph, able, core
        self.nodes = list(graph.bound_nodes())
        leanest = [
            min(kernels, key=lambda kernel: kernel.scratch_bytes(node))
            for node, kernels in zip(self.nodes, able, strict=True)
        ]
        self._blocks = find_blocks(graph, leanest, keep_input)
        needs = [least_bytes(self._blocks, step) for step in range(len(self.nodes))]
        self.need = max(needs, default=0)
        self.worst = needs.index(self.need) if needs else 0

    def cycles(self, index: int) -> float:
        """Of a layer as it is, with its cheapest kernel."""
        return self.able[index][0].cycles(self.nodes[index], self._core)

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
