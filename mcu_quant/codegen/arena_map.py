"""A picture of the arena (SVG): layers from left to right, addresses from the bottom up.

Python decides where everything is drawn; templates/certificate/arena.svg.j2 only writes it down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mcu_quant.codegen.names import comment
from mcu_quant.codegen.templates import environment
from mcu_quant.deployment import FAST, MAIN, ArenaBlock, Deployment

#: Pixels; with many layers it is wider, for each column takes _COLUMN at least.
WIDTH, HEIGHT = 1000, 680
_COLUMN = 27
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 16, 108, 500
#: Font size in pixels, and how wide and high its letters are taken to be.
FONT = 11
_LETTER, _LINE = 0.58 * FONT, 1.2 * FONT
_TICKS = 8
#: How far from a block its label may be, in pixels; what has none is in the text below its column anyway.
_NEAR = 10


@dataclass(frozen=True)
class Box:
    """A rectangle, y growing downward."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def holds(self, other: Box) -> bool:
        return (
            self.x <= other.x
            and other.x + other.width <= self.x + self.width
            and self.y <= other.y
            and other.y + other.height <= self.y + self.height
        )


@dataclass(frozen=True)
class Label:
    """Text in a box. rotated: it is read from the bottom up. outside: a line leads to what it names."""

    lines: tuple[str, ...]
    box: Box
    rotated: bool
    outside: bool


@dataclass(frozen=True)
class Drawn:
    """A block, where it is drawn, and its label if there is room for one."""

    block: ArenaBlock
    title: str
    box: Box
    label: Label | None


@dataclass(frozen=True)
class Column:
    """A step. written: the shapes and sizes that it writes. scratch: its bytes. middle: x of its middle."""

    title: str
    tooltip: str
    written: str
    scratch: str
    x: float
    middle: float


def render_arena_map(deployment: Deployment) -> str:
    """The SVG of a deployment's arena."""
    plan = deployment.plan
    total = plan.arena_bytes + plan.fast_arena_bytes
    scale = _Scale(len(deployment.graph.nodes) + 2, total, plan.arena_bytes)
    return (
        environment("certificate", escape=True)
        .get_template("arena.svg.j2")
        .render(
            name=deployment.name,
            core=deployment.core.name,
            options=comment(deployment.options.canonical(), longest=60),
            arena_bytes=total,
            fast_arena_bytes=plan.fast_arena_bytes,
            boundary=scale.y(plan.arena_bytes),
            layers=len(deployment.graph.nodes),
            fullest=plan.largest_layer,
            fullest_bytes=plan.used_bytes(plan.largest_layer),
            columns=_columns(deployment, scale),
            column_width=scale.column,
            ticks=[(scale.y(address), f"{address:,}") for address in _ticks(total)],
            blocks=_drawn(deployment, scale),
            shared=[scale.box(block) for block in shared(plan.blocks)],
            area=scale.area,
            top=scale.y(total),
            width=scale.width,
            height=HEIGHT,
            font=FONT,
        )
    )


def shared(blocks: Sequence[ArenaBlock]) -> list[ArenaBlock]:
    """Bytes and steps that two blocks have in common: an output that lies over an input that dies there."""
    found = []
    for index, one in enumerate(blocks):
        for other in blocks[:index]:
            low, high = max(one.address, other.address), min(one.end, other.end)
            if one.arena == other.arena and one.meets(other) and low < high:
                first, last = max(one.first, other.first), min(one.last, other.last)
                found.append(
                    ArenaBlock(f"{other.name}, {one.name}", "shared", low, high - low, first, last, one.arena)
                )
    return found


class _Scale:
    """From steps and addresses to pixels. The fast arena is drawn above the main one."""

    def __init__(self, columns: int, arena_bytes: int, main_bytes: int) -> None:
        self.width = max(WIDTH, _LEFT + _RIGHT + _COLUMN * columns)
        self.column = (self.width - _LEFT - _RIGHT) / columns
        self.area = Box(_LEFT, _TOP, self.width - _LEFT - _RIGHT, _BOTTOM - _TOP)
        self._bytes = max(arena_bytes, 1)
        self._start = {MAIN: 0, FAST: main_bytes}

    def x(self, step: int) -> float:
        """The left side of a step's column."""
        return _LEFT + (step + 1) * self.column

    def y(self, address: int) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * address / self._bytes

    def box(self, block: ArenaBlock) -> Box:
        width = (block.last - block.first + 1) * self.column
        low, high = (self.y(self._start[block.arena] + end) for end in (block.address, block.end))
        return Box(self.x(block.first), high, width, low - high)


def _ticks(arena_bytes: int) -> list[int]:
    """Round addresses: some eight, a power of two apart."""
    step = 1
    while step * _TICKS < arena_bytes:
        step *= 2
    return list(range(0, arena_bytes + 1, step))


def _columns(deployment: Deployment, scale: _Scale) -> list[Column]:
    nodes = deployment.graph.nodes
    titles = [("write inputs", "before the run")]
    titles += [
        (f"{i}  {node.op.replace('_', ' ')}", f"layer {i}: {node.name}") for i, node in enumerate(nodes)
    ]
    titles += [("read outputs", "after the run")]
    columns = []
    for step, (title, tooltip) in enumerate(titles, start=-1):
        new = [block for block in deployment.plan.blocks if block.first == step]
        sizes = [" · ".join(_names(deployment, block)) for block in new if block.kind != "scratch"]
        scratch = sum(block.bytes for block in new if block.kind == "scratch")
        shown = f"{scratch:,} B" if scratch else ""
        x = scale.x(step)
        columns.append(Column(title, tooltip, ", ".join(sizes), shown, x, x + scale.column / 2))
    return columns


def _drawn(deployment: Deployment, scale: _Scale) -> list[Drawn]:
    """All blocks, each with a label where one fits: the largest choose first."""
    blocks = sorted(deployment.plan.blocks, key=lambda block: -block.bytes * (block.last - block.first + 1))
    boxes = [scale.box(block) for block in blocks]
    labels: list[Label] = []
    drawn = []
    for block, box in zip(blocks, boxes, strict=True):
        room = _Room(scale.area, boxes, [label.box for label in labels])
        label = _label(block, _names(deployment, block), box, room)
        labels += [] if label is None else [label]
        drawn.append(Drawn(block, _title(deployment, block), box, label))
    return drawn


def _names(deployment: Deployment, block: ArenaBlock) -> tuple[str, str]:
    """What to call a block, and its size."""
    what = "scratch" if block.kind == "scratch" else _shape(deployment, block)
    return what, f"{block.bytes:,} B"


def _shape(deployment: Deployment, block: ArenaBlock) -> str:
    shape = deployment.graph.tensors[block.name].shape
    return "×".join(map(str, shape[1:] or shape))


def _title(deployment: Deployment, block: ArenaBlock) -> str:
    """For the tooltip: everything that is known."""
    where = " of the fast arena" if block.arena == FAST else ""
    what = "scratch of" if block.kind == "scratch" else f"{block.kind} {_shape(deployment, block)}"
    return f"{what} {block.name}: {block.bytes:,} bytes at {block.address:,} to {block.end - 1:,}{where}"


@dataclass(frozen=True)
class _Room:
    """area: where all is drawn. boxes: of all blocks. taken: by labels."""

    area: Box
    boxes: Sequence[Box]
    taken: Sequence[Box]

    def has(self, label: Box) -> bool:
        """Whether no label is there."""
        return not any(label.overlaps(other) for other in self.taken)

    def has_outside(self, label: Box, owner: Box) -> bool:
        """Whether nothing else is there, either."""
        others = (other for other in self.boxes if other is not owner)
        return self.area.holds(label) and self.has(label) and not any(map(label.overlaps, others))


def _label(block: ArenaBlock, names: tuple[str, str], box: Box, room: _Room) -> Label | None:
    """The first place that is free: inside, or above or below a tensor with a line that leads to it."""
    for label in _inside(names, box):
        if box.holds(label.box) and room.has(label.box):
            return label
    if block.kind == "scratch":
        return None
    return next((label for label in _outside(names, box) if room.has_outside(label.box, box)), None)


def _inside(names: tuple[str, str], box: Box) -> Iterator[Label]:
    """Two lines, one line, or upright, in the middle and then moved aside."""
    for lines, rotated in (
        (names, False),
        ((" · ".join(names),), False),
        (names, True),
        ((" · ".join(names),), True),
    ):
        width = max(map(len, lines)) * _LETTER + 6
        height = len(lines) * _LINE + 2
        if rotated:
            width, height = height, width
        for part in (0.5, 0.25, 0.75, 0.0, 1.0):
            for across in (0.5, 0.0, 1.0):
                left = box.x + (box.width - width) * part
                top = box.y + (box.height - height) * across
                yield Label(lines, Box(left, top, width, height), rotated, False)


def _outside(names: tuple[str, str], box: Box) -> Iterator[Label]:
    """Near it, ever further away."""
    text = (" · ".join(names),)
    long, short = len(text[0]) * _LETTER + 6, _LINE + 2
    for distance in (3, _NEAR):
        for rotated in (False, True):
            width, height = (short, long) if rotated else (long, short)
            for part in (0.5, 0.25, 0.75):
                left = box.x + box.width * part - width / 2
                yield Label(text, Box(left, box.y - distance - height, width, height), rotated, True)
                yield Label(text, Box(left, box.y + box.height + distance, width, height), rotated, True)
