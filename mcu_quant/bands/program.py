"""The bands of a segment as a program: moves of rows, calls of kernels, and loops where bands are alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mcu_quant.bands.layout import Layout
from mcu_quant.bands.segment import BandCall, BandedSegment
from mcu_quant.deployment import TENSOR_ALIGN


@dataclass(frozen=True)
class Pointer:
    """base: "input", "output" or "scratch". bytes: from its start. step: how much more in each next band."""

    base: str
    bytes: int
    step: int = 0


@dataclass(frozen=True)
class Move:
    """Rows that are kept go to the start of their buffer."""

    tensor: str
    target: Pointer
    source: Pointer
    bytes: int


@dataclass(frozen=True)
class Call:
    """stage, variant: which node. operands: the address of every tensor that it reads or writes."""

    stage: int
    variant: int
    operands: tuple[tuple[str, Pointer], ...]


Statement = Move | Call


@dataclass(frozen=True)
class Stretch:
    """Bands that do the same, from `first` on."""

    first: int
    count: int
    statements: tuple[Statement, ...]


def program_of(banded: BandedSegment, layout: Layout) -> list[Stretch]:
    stretches: list[Stretch] = []
    bands = [tuple(_statements(banded, layout, band)) for band in range(banded.schedule.bands)]
    for band, statements in enumerate(bands):
        last = stretches[-1] if stretches else None
        if last is not None and last.count > 1 and _advanced(last.statements, last.count) == statements:
            stretches[-1] = replace(last, count=last.count + 1)
        elif last is not None and last.count == 1 and (stepped := _stepped(last.statements, statements)):
            stretches[-1] = Stretch(last.first, 2, stepped)
        else:
            stretches.append(Stretch(band, 1, statements))
    return stretches


def is_aligned(banded: BandedSegment) -> bool:
    """Whether all rows that a call begins at are at whole words, wherever the tensors are."""
    return all(
        pointer.bytes % TENSOR_ALIGN == 0
        for band in range(banded.schedule.bands)
        for call in banded.calls[band]
        for _, pointer in _operands(banded, None, band, call)
    )


def _statements(banded: BandedSegment, layout: Layout, band: int) -> Iterator[Statement]:
    segment, schedule = banded.segment, banded.schedule
    for name, address in layout.rows.items():
        kept = schedule.kept(name, band)
        moved = (kept.start - schedule.low(name, band - 1)) if band else 0
        if kept and moved:
            size = segment.row_bytes(name)
            source = Pointer("scratch", address + moved * size)
            yield Move(name, Pointer("scratch", address), source, len(kept) * size)
    for call in banded.calls[band]:
        yield Call(call.stage, call.variant, tuple(_operands(banded, layout, band, call)))


def _operands(
    banded: BandedSegment, layout: Layout | None, band: int, call: BandCall
) -> Iterator[tuple[str, Pointer]]:
    """layout: None for addresses from the start of each buffer."""
    node = banded.segment.nodes[call.stage]
    for tensor, rows in zip(node.inputs, call.reads, strict=True):
        if tensor is not None and rows is not None:
            yield tensor.name, _pointer(banded, layout, band, tensor.name, rows.start)
    yield node.output.name, _pointer(banded, layout, band, node.output.name, call.made.start)


def _pointer(banded: BandedSegment, layout: Layout | None, band: int, name: str, row: int) -> Pointer:
    graph, size = banded.segment.graph, banded.segment.row_bytes(name)
    root = name if layout is None else layout.roots.get(name, name)
    for base, names in (("input", graph.inputs), ("output", graph.outputs)):
        if root in names:
            return Pointer(base, row * size)
    start = 0 if layout is None else layout.rows[root]
    return Pointer("scratch", start + (row - banded.schedule.low(root, band)) * size)


def _stepped(
    statements: tuple[Statement, ...], following: tuple[Statement, ...]
) -> tuple[Statement, ...] | None:
    """The first band's statements with the steps that lead to the next one's; None if they are not alike."""
    if len(statements) != len(following):
        return None
    stepped = []
    for one, other in zip(statements, following, strict=True):
        if isinstance(one, Call) and isinstance(other, Call):
            operands = tuple(
                (name, replace(a, step=b.bytes - a.bytes))
                for (name, a), (_, b) in zip(one.operands, other.operands, strict=True)
            )
            one = replace(one, operands=operands)
        stepped.append(one)
    result = tuple(stepped)
    return result if _advanced(result, 1) == following else None


def _advanced(statements: tuple[Statement, ...], bands: int) -> tuple[Statement, ...]:
    """What those statements are so many bands later, without steps."""
    return tuple(
        replace(statement, operands=tuple((n, _moved(p, bands)) for n, p in statement.operands))
        if isinstance(statement, Call)
        else statement
        for statement in statements
    )


def _moved(pointer: Pointer, bands: int) -> Pointer:
    return Pointer(pointer.base, pointer.bytes + bands * pointer.step)
