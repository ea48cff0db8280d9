"""The function in assembly that convolves planes: all rows of a band, channel after channel.

    mq_depthwise_planar_function_t(params, planes, table, output, rows, channels)

Outputs go several at a time, so that pixels and weights, once loaded, serve them all
(depthwise_outputs.py has what they are, straight_line.allocate their registers).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache

from mcu_quant.kernels.assembly_cycles import straight_cycles
from mcu_quant.kernels.dsp.depthwise_geometry import Geometry
from mcu_quant.kernels.dsp.depthwise_outputs import (
    INPUT,
    OUTPUT,
    Requantization,
    filter_words,
    products,
    results,
)
from mcu_quant.kernels.dsp.straight_line import (
    Instruction,
    add_immediate,
    allocate,
    move_immediate,
)

#: A channel's table, where it is not copied to the stack; the channels that are left, where they are counted
#: in a register.
_TABLE, _COUNT = "lr", "r12"
_POOL = ("r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr")
_SAVED = "r4, r5, r6, r7, r8, r9, r10, r11, lr"


@dataclass(frozen=True)
class RowsCode:
    """lines: the function's body. cycles, instructions: of one call, by (channel, row) as it is emitted."""

    lines: tuple[str, ...]
    channel: tuple[int, int]
    row: tuple[int, int]


@dataclass(frozen=True)
class _Layout:
    """The frame: a channel's table, then what the loops count."""

    words: int

    def word(self, index: int) -> str:
        return f"[sp, #{4 * index}]"

    @property
    def rows(self) -> str:
        return self.word(self.words)

    @property
    def channels(self) -> str:
        return self.word(self.words + 1)

    @property
    def table(self) -> str:
        return self.word(self.words + 2)

    @property
    def plane(self) -> str:
        return self.word(self.words + 3)

    @property
    def output(self) -> str:
        return self.word(self.words + 4)

    @property
    def blocks(self) -> str:
        return self.word(self.words + 5)

    @property
    def bytes(self) -> int:
        """Such that with nine saved registers the stack stays at multiples of 8."""
        size = self.words + 6
        return 4 * (size if size % 2 else size + 1)

    def argument(self, index: int) -> str:
        """One of those that the caller left on its stack."""
        return f"[sp, #{self.bytes + 36 + 4 * index}]"


@dataclass(frozen=True)
class _Way:
    """Outputs at once; weight words that stay in registers; whether a channel's table is copied to the stack,
    or has a register; whether the count of channels has one.
    """

    at_once: int
    resident: int
    copies: bool
    counts: bool = False


class _Emitter:
    """way: see _WAYS. unroll: the outputs of a loop's turn."""

    def __init__(self, geometry: Geometry, how: Requantization, way: _Way, unroll: int) -> None:
        self.geometry, self.how, self.way, self.unroll = geometry, how, way, unroll
        self.per_row = filter_words(geometry.across.filter_size)
        self.constants = how.constants
        self.words = len(self.constants) + self.per_row * geometry.filter_rows
        self.frame = _Layout(self.words if way.copies else 0)
        taken = ([] if way.copies else [_TABLE]) + ([_COUNT] if way.counts else [])
        self.pool = tuple(register for register in _POOL if register not in taken)
        used = [t for t in range(self.per_row) if geometry.has_weights(t)]
        words = [("w", row, t) for row in range(geometry.filter_rows) for t in used]
        self.resident: dict[Hashable, str] = dict(
            zip(words[: way.resident], reversed(self.pool), strict=False)
        )
        #: INPUT and OUTPUT stay where a channel begins.
        self.stays = geometry.output_rows == 1 and geometry.across.output_size <= unroll

    def address(self, value: Hashable) -> str:
        if isinstance(value, str):
            return self.table_word(self.constants.index(value))
        assert isinstance(value, tuple)
        if value[0] == "w":
            return self.table_word(len(self.constants) + value[1] * self.per_row + value[2])
        line = value[1] * self.geometry.row_dilation
        return f"[{INPUT}, #{line * self.geometry.line_bytes + 4 * value[2]}]"

    def table_word(self, index: int) -> str:
        return self.frame.word(index) if self.way.copies else f"[{_TABLE}, #{4 * index}]"

    def run(self, count: int) -> list[str]:
        """The next `count` outputs of a row, without moving INPUT and OUTPUT on."""
        step = self.geometry.output_channels
        code: list[Instruction] = []
        for start in range(0, count, self.way.at_once):
            outputs = range(start, min(start + self.way.at_once, count))
            code += products(self.geometry, outputs) + results(self.how, outputs, step, start * step)
        return allocate(code, self.address, self.pool, self.resident)

    def move_on(self, outputs: int) -> list[str]:
        forward = 2 * outputs * self.geometry.across.stride
        down = outputs * self.geometry.output_channels
        return add_immediate(INPUT, forward, "r2") + add_immediate(OUTPUT, down, "r2")

    def row(self) -> list[tuple[int, list[str]]]:
        """A row of outputs: (how often, lines), then to the next row."""
        total = self.geometry.across.output_size
        if total <= self.unroll:
            parts, done = [(1, self.run(total))], 0
        else:
            times, rest = divmod(total, self.unroll)
            count = [*move_immediate("r2", times), f"str r2, {self.frame.blocks}", "1:"]
            back = [
                f"ldr r2, {self.frame.blocks}",
                "subs r2, r2, #1",
                f"str r2, {self.frame.blocks}",
                "bne 1b",
            ]
            body = self.run(self.unroll) + self.move_on(self.unroll) + back
            parts, done = [(1, count), (times, body), (1, self.run(rest))], times * self.unroll
        input_step = (
            self.geometry.rows.stride * self.geometry.line_bytes - 2 * done * self.geometry.across.stride
        )
        output_step = (total - done) * self.geometry.output_channels
        end = add_immediate(INPUT, input_step, "r2") + add_immediate(OUTPUT, output_step, "r2")
        if self.geometry.output_rows == 1:
            return parts
        again = [f"ldr r2, {self.frame.rows}", "subs r2, r2, #1", f"str r2, {self.frame.rows}", "bne 2b"]
        return [*parts, (1, end + again)]

    def open_channel(self) -> list[str]:
        """Copy the channel's table to the frame, load what stays in registers."""
        lines = self.copy_table() if self.way.copies else []
        if self.geometry.output_rows > 1:
            lines += [f"ldr r2, {self.frame.argument(0)}", f"str r2, {self.frame.rows}"]
        if not self.stays:
            lines += [f"ldr {INPUT}, {self.frame.plane}", f"ldr {OUTPUT}, {self.frame.output}"]
        return lines + [f"ldr {register}, {self.address(value)}" for value, register in self.resident.items()]

    def copy_table(self) -> list[str]:
        lines = [f"ldr r2, {self.frame.table}", "mov r12, sp"]
        for start in range(0, self.words, 8):
            names = ", ".join(f"r{3 + i}" for i in range(min(8, self.words - start)))
            lines += [f"ldm r2!, {{{names}}}", f"stm r12!, {{{names}}}"]
        return [*lines, f"str r2, {self.frame.table}"]

    def close_channel(self) -> list[str]:
        plane = self.geometry.plane_bytes if self.geometry.planes > 1 else 0
        lines = [] if self.way.copies else [f"addw {_TABLE}, {_TABLE}, #{4 * self.words}"]
        if self.stays:
            lines += [f"adds {OUTPUT}, {OUTPUT}, #1", *add_immediate(INPUT, plane, "r3")]
        else:
            lines += [f"ldr r2, {self.frame.output}", "adds r2, r2, #1", f"str r2, {self.frame.output}"]
            if plane:
                lines += [
                    f"ldr r2, {self.frame.plane}",
                    *add_immediate("r2", plane, "r3"),
                    f"str r2, {self.frame.plane}",
                ]
        if self.way.counts:
            return [*lines, f"subs {_COUNT}, {_COUNT}, #1", "bne 3b"]
        return [
            *lines,
            f"ldr r2, {self.frame.channels}",
            "subs r2, r2, #1",
            f"str r2, {self.frame.channels}",
            "bne 3b",
        ]

    def code(self) -> RowsCode:
        frame = self.frame
        enter = [
            f"push {{{_SAVED}}}",
            f"sub sp, sp, #{frame.bytes}",
            f"str r2, {frame.table}" if self.way.copies else f"mov {_TABLE}, r2",
            *(
                [f"mov {INPUT}, r1", f"mov {OUTPUT}, r3"]
                if self.stays
                else [f"str r1, {frame.plane}", f"str r3, {frame.output}"]
            ),
            *(
                [f"ldr {_COUNT}, {frame.argument(1)}"]
                if self.way.counts
                else [f"ldr r2, {frame.argument(1)}", f"str r2, {frame.channels}"]
            ),
            "3:",
        ]
        parts = self.row()
        channel = self.open_channel() + self.close_channel()
        row = [line for _, lines in parts for line in lines]
        leave = [f"add sp, sp, #{frame.bytes}", f"pop {{{_SAVED.replace('lr', 'pc')}}}"]
        lines = [*enter, *self.open_channel(), "2:", *row, *self.close_channel(), *leave]
        return RowsCode(
            tuple(lines),
            (straight_cycles(channel), _count(channel)),
            (sum(n * straight_cycles(part) for n, part in parts), sum(n * _count(part) for n, part in parts)),
        )


def _count(lines: list[str]) -> int:
    return sum(not line.endswith(":") for line in lines)


_AT_ONCE = ((2, 6), (4, 5), (4, 2), (5, 0), (6, 0), (1, 0))
#: One of these was the best for every shape tried. Of four outputs at once, five words are one too many
#: where the table has a register.
_WAYS = (
    *(_Way(at_once, resident, copies=True) for at_once, resident in _AT_ONCE),
    *(
        _Way(at_once, resident, copies=False)
        for at_once, resident in _AT_ONCE
        if (at_once, resident) != (4, 5)
    ),
    _Way(1, 0, copies=False, counts=True),
    _Way(2, 2, copies=False, counts=True),
)


@lru_cache(maxsize=256)
def rows_code(geometry: Geometry, how: Requantization, unrolled: int) -> RowsCode:
    """The best of the ways to go along a row. unrolled: the most outputs that a loop has."""
    most = min(unrolled, max(4096 // geometry.output_channels, 1))
    unroll = _outputs_of_loop(geometry, most)
    words = filter_words(geometry.across.filter_size) * geometry.filter_rows
    ways = dict.fromkeys(
        replace(w, at_once=min(w.at_once, unroll), resident=min(w.resident, words)) for w in _WAYS
    )
    codes = [_Emitter(geometry, how, way, unroll).code() for way in ways]
    return min(codes, key=lambda code: _cost(geometry, code))


def _outputs_of_loop(geometry: Geometry, most: int) -> int:
    """Outputs that a turn of the loop along a row has: all, or such that it moves on by whole words."""
    total = geometry.across.output_size
    if total <= most:
        return total
    step = 1 + geometry.across.stride % 2
    whole = max((n for n in range(2, most + 1, 2) if total % n == 0), default=0)
    return whole if 2 * whole >= most else most // step * step


def _cost(geometry: Geometry, code: RowsCode) -> int:
    return code.channel[1] + geometry.output_rows * code.row[1]
