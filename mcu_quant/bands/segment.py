"""A segment: consecutive nodes of a graph that can run in bands, and what every band of it computes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from mcu_quant.bands.rows import band_node, row_bytes, row_reaches
from mcu_quant.bands.schedule import Schedule, Stage
from mcu_quant.ir import BoundNode, Graph

#: A segment has at least so many nodes: one alone has no tensor inside that could be smaller.
LEAST_NODES = 2
#: Longer ones need more for what is kept between bands than they save.
MOST_NODES = 16


@dataclass(frozen=True, eq=False)
class Segment:
    """graph: the nodes, from one input to the last node's output."""

    graph: Graph

    @cached_property
    def nodes(self) -> tuple[BoundNode, ...]:
        return tuple(self.graph.bound_nodes())

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        stages = []
        for node in self.nodes:
            reaches = row_reaches(node)
            assert reaches is not None, node.name
            reads = tuple(
                None if reach is None or name is None else (name, reach)
                for name, reach in zip(node.node.inputs, reaches, strict=True)
            )
            stages.append(Stage(node.output.name, node.output.shape[1], reads))
        return tuple(stages)

    @property
    def height(self) -> int:
        """Rows of the output."""
        return self.stages[-1].height

    @property
    def least_bytes(self) -> int:
        """Of the input or the output, which both have to be whole."""
        return max(tensor.bytes for tensor in (*self.graph.input_tensors(), *self.graph.output_tensors()))

    def row_bytes(self, name: str) -> int:
        return row_bytes(self.graph.tensors[name])

    def live_bytes(self, schedule: Schedule) -> int:
        """What no layout is below: rows that are still read and output made, in some of the bands."""
        last = schedule.bands - 1
        bands = sorted({0, min(1, last), last // 2, max(last - 1, 0), last})
        stages = range(len(self.stages))
        return max(self.least_bytes, *(self._live_at(schedule, b, i) for b in bands for i in stages))

    def _live_at(self, schedule: Schedule, band: int, index: int) -> int:
        """While that stage runs; what it makes may lie over what it reads row by row."""
        (source,), stage = self.graph.input_tensors(), self.stages[index]
        live = source.bytes - schedule.first_needed(source.name, band, index) * self.row_bytes(source.name)
        for other, maker in enumerate(self.stages):
            made = schedule.made(maker.output, band)
            end = made.stop if other < index or (other == index and not stage.is_by_rows) else made.start
            is_read = other < len(self.stages) - 1
            start = schedule.first_needed(maker.output, band, index) if is_read else 0
            live += max(end - start, 0) * self.row_bytes(maker.output)
        return live


def find_segments(graph: Graph, index: int) -> list[tuple[range, Segment]]:
    """Every run of nodes with that one that is a segment, by their indices."""
    maps_rows = [row_reaches(node) is not None for node in graph.bound_nodes()]
    start = index
    while start and all(maps_rows[start - 1 : index + 1]):
        start -= 1
    found = []
    for first in range(start, index + 1):
        for stop in range(max(index + 1, first + LEAST_NODES), len(graph.nodes) + 1):
            if not all(maps_rows[first:stop]):
                break
            inner = _inner_graph(graph, range(first, stop)) if stop - first <= MOST_NODES else None
            if inner is not None:
                found.append((range(first, stop), Segment(inner)))
    return found


def _inner_graph(graph: Graph, indices: range) -> Graph | None:
    """Those nodes as a graph, if they have one input and only the last one's output is used outside."""
    nodes = graph.nodes[indices.start : indices.stop]
    made = {name for node in nodes for name in node.outputs}
    read = {name for node in nodes for name in node.inputs if name is not None}
    inputs = sorted(name for name in read - made if not graph.tensors[name].is_constant)
    outside = {name for i, node in enumerate(graph.nodes) if i not in indices for name in node.inputs}
    leaving = made & (outside | set(graph.kept))
    (output,) = nodes[-1].outputs
    if len(inputs) != 1 or leaving != {output} or output in read:
        return None
    if made - read != {output}:
        return None  # a node whose output nothing reads
    return graph.with_(nodes=nodes, inputs=tuple(inputs), outputs=(output,), states=())


@dataclass(frozen=True)
class BandCall:
    """What a stage does in a band: which variant of its node runs. reads: the rows of each input."""

    stage: int
    variant: int
    reads: tuple[range | None, ...]
    made: range


class VariantPool:
    """Band nodes of a graph, each once: what is worked out for one need not be for its equals."""

    def __init__(self) -> None:
        self._known: dict[object, BoundNode] = {}

    def node(self, node: BoundNode, reads: tuple[range | None, ...], made: range) -> BoundNode:
        variant = band_node(node, reads, made)
        shapes = tuple(None if tensor is None else tensor.shape for tensor in variant.inputs)
        return self._known.setdefault((node.name, shapes, variant.output.shape, variant.attrs), variant)


class BandedSegment:
    """A segment with its schedule.

    calls: of each band, in order. variants: for each stage its different nodes; counts: how many bands
    use each.
    """

    def __init__(self, segment: Segment, schedule: Schedule, pool: VariantPool) -> None:
        self.segment, self.schedule = segment, schedule
        self.variants: list[list[BoundNode]] = [[] for _ in segment.nodes]
        self.calls: list[tuple[BandCall, ...]] = []
        for band in range(self.schedule.bands):
            calls = (self._call(stage, band, pool) for stage in range(len(segment.nodes)))
            self.calls.append(tuple(call for call in calls if call is not None))
        used = Counter((call.stage, call.variant) for calls in self.calls for call in calls)
        self.counts = [
            [used[stage, variant] for variant in range(len(nodes))]
            for stage, nodes in enumerate(self.variants)
        ]

    def _call(self, stage: int, band: int, pool: VariantPool) -> BandCall | None:
        node, schedule = self.segment.nodes[stage], self.schedule
        made = schedule.made(node.output.name, band)
        if not made:
            return None
        reads = tuple(schedule.read(stage, operand, band) for operand in range(len(node.inputs)))
        variant, variants = pool.node(node, reads, made), self.variants[stage]
        if not any(known is variant for known in variants):
            variants.append(variant)
        index = next(i for i, known in enumerate(variants) if known is variant)
        return BandCall(stage, index, reads, made)
