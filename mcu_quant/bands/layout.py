"""What is in a segment's scratch: rows of the tensors between its nodes, and the nodes' own scratch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcu_quant.bands.segment import BandedSegment
from mcu_quant.deployment import TENSOR_ALIGN
from mcu_quant.kernels.base import Kernel


@dataclass(frozen=True)
class Block:
    """Bytes that stages `first` to `last` of every band need.

    dead: how many bytes of the segment's input are not read again once they are first written, in band 0.
    """

    bytes: int
    first: int
    last: int
    dead: int

    def meets(self, other: Block) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True)
class Layout:
    """Addresses in the segment's scratch, and how it and the output may lie over the segment's input.

    roots: for each tensor inside, the one whose rows it is written over (a sum's first operand, say).
    rows: the address of each of those that is not the output. scratch: each stage's own (0 without).
    scratch_distance, output_distance: the least address(input) - address(scratch or output).
    """

    roots: dict[str, str]
    rows: dict[str, int]
    scratch: tuple[int, ...]
    bytes: int
    scratch_distance: int
    output_distance: int

    @property
    def extent(self) -> int:
        """Bytes below the input if the output lies right behind the scratch: what is to be small."""
        return max(self.scratch_distance, self.bytes + self.output_distance, 0)


def lay_out(banded: BandedSegment, kernels: Sequence[Kernel]) -> Layout:
    """kernels: one per stage, each able to compute all of its variants."""
    roots = _roots(banded, kernels)
    names, blocks = _row_blocks(banded, roots)
    own = [
        max(kernel.scratch_bytes(node) for node in nodes)
        for kernel, nodes in zip(kernels, banded.variants, strict=True)
    ]
    stages = [stage for stage, size in enumerate(own) if size]
    blocks += [Block(own[stage], stage, stage, _dead(banded, 0, stage)) for stage in stages]
    output_distance = _output_distance(banded, roots)
    layouts = []
    for order in _orders(blocks):
        addresses = _addresses(blocks, order)
        scratch = dict(zip(stages, addresses[len(names) :], strict=True))
        ends = [a + block.bytes for a, block in zip(addresses, blocks, strict=True)]
        layouts.append(
            Layout(
                roots,
                dict(zip(names, addresses, strict=False)),
                tuple(scratch.get(stage, 0) for stage in range(len(own))),
                max(ends, default=0),
                max((end - block.dead for end, block in zip(ends, blocks, strict=True)), default=0),
                output_distance,
            )
        )
    return min(layouts, key=lambda layout: (layout.extent, layout.bytes))


def _roots(banded: BandedSegment, kernels: Sequence[Kernel]) -> dict[str, str]:
    """Operands that nothing else reads are made right where the result will be, if the kernel can do that."""
    segment, schedule = banded.segment, banded.schedule
    inside = {stage.output for stage in segment.stages}
    roots = {name: name for name in inside}
    for index, stage in reversed(list(enumerate(segment.stages))):
        for operand, read in enumerate(stage.reads):
            if read is None or read[0] not in inside or not read[1].is_identity:
                continue
            name = read[0]
            distances = [kernels[index].overlap(node)[operand] for node in banded.variants[index]]
            fits = all(distance is not None and distance <= 0 for distance in distances)
            if fits and schedule.readers(name) == [index] and _same_rows(banded, name, stage.output):
                roots[name] = roots[stage.output]
                break
    return roots


def _same_rows(banded: BandedSegment, name: str, other: str) -> bool:
    return banded.segment.row_bytes(name) == banded.segment.row_bytes(other)


def _row_blocks(banded: BandedSegment, roots: dict[str, str]) -> tuple[list[str], list[Block]]:
    """The buffers of rows: names of tensors, and their blocks."""
    segment, schedule = banded.segment, banded.schedule
    (output,) = segment.graph.outputs
    stages = range(len(segment.stages))
    names = [s.output for s in segment.stages if roots[s.output] == s.output and s.output != output]
    blocks = []
    for name in names:
        first = min(i for i in stages if roots[segment.stages[i].output] == name)
        last = max(schedule.readers(name))
        is_kept = any(schedule.kept(name, band) for band in range(schedule.bands))
        size = schedule.buffer_rows(name) * segment.row_bytes(name)
        live = (0, len(stages) - 1) if is_kept else (first, last)
        blocks.append(Block(size, *live, _dead(banded, 0, first)))
    return names, blocks


def _dead(banded: BandedSegment, band: int, stage: int) -> int:
    """Bytes of the segment's input that are not read by that stage of the band or any after it."""
    (name,) = banded.segment.graph.inputs
    return banded.schedule.first_needed(name, band, stage) * banded.segment.row_bytes(name)


def _output_distance(banded: BandedSegment, roots: dict[str, str]) -> int:
    """A band's output rows end no later than the input that is still read when they are begun, if any is."""
    segment, schedule = banded.segment, banded.schedule
    (source,), (output,) = segment.graph.input_tensors(), segment.graph.outputs
    first = min(i for i, stage in enumerate(segment.stages) if roots[stage.output] == output)
    dead = [_dead(banded, band, first) for band in range(schedule.bands)]
    made = [schedule.made(output, band).stop * segment.row_bytes(output) for band in range(schedule.bands)]
    distances = [m - d for m, d in zip(made, dead, strict=True) if d < source.bytes]
    return max(distances, default=-source.bytes)


def _orders(blocks: Sequence[Block]) -> list[list[int]]:
    """What has to stay clear of the input first, then what may lie over it, by size, and by stage."""
    keys: list[Callable[[int], tuple[int, ...]]] = [
        lambda i: (blocks[i].dead, -blocks[i].bytes, i),
        lambda i: (blocks[i].dead > 0, -blocks[i].bytes, i),
        lambda i: (
            blocks[i].first < blocks[i].last and blocks[i].dead > 0,
            blocks[i].dead,
            -blocks[i].bytes,
            i,
        ),
        lambda i: (blocks[i].first < blocks[i].last, blocks[i].dead, -blocks[i].bytes, i),
        lambda i: (-blocks[i].bytes, i),
        lambda i: (blocks[i].dead, blocks[i].first - blocks[i].last, -blocks[i].bytes, i),
        lambda i: (blocks[i].first - blocks[i].last, -blocks[i].bytes, i),
    ]
    return [sorted(range(len(blocks)), key=key) for key in keys]


def _addresses(blocks: Sequence[Block], order: Sequence[int]) -> list[int]:
    """Blocks in that order, each at the lowest address where it meets no other."""
    addresses = [-1] * len(blocks)
    for index in order:
        taken = sorted(
            (addresses[i], addresses[i] + blocks[i].bytes)
            for i in range(len(blocks))
            if addresses[i] >= 0 and blocks[i].meets(blocks[index])
        )
        address = 0
        for low, high in taken:
            if address + blocks[index].bytes > low:
                address = max(address, -(-high // TENSOR_ALIGN) * TENSOR_ALIGN)
        addresses[index] = address
    return addresses
