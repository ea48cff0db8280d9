"""The function in assembly that convolves planes: all rows of a band, channel after channel.

    mq_depthwise_planar_function_t(params, planes, table, output, rows, channels)

Two neighbouring pixels are a word; SMLAD adds their products with two weights. Word t of a filter's
row is (weight t, weight t + 1), for whichever tap a pair of pixels begins with. Outputs go several
at a time, so that pixels and weights, once loaded, serve them all (straight_line.allocate).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache

from mcu_quant.kernels.dsp.depthwise_geometry import Geometry
from mcu_quant.kernels.dsp.straight_line import (
    Instruction,
    add_immediate,
    allocate,
    cycles,
    move_immediate,
)

INPUT, OUTPUT = "r0", "r1"
_POOL = ("r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr")
_SAVED = "r4, r5, r6, r7, r8, r9, r10, r11, lr"


@dataclass(frozen=True)
class Requantization:
    """How a scaled accumulator becomes int8 (depthwise_table.py).

    shift: one for all channels, or None: each has its own, in a register. has_steps: negative
    accumulators lose their channel's step. rounds_sign: they lose 1, and products are rounded.
    low, high: the clamp.
    """

    shift: int | None
    has_steps: bool
    rounds_sign: bool
    low: int
    high: int

    @property
    def constants(self) -> tuple[str, ...]:
        """What a channel's table begins with, one word each."""
        own = () if self.shift is not None else ("shift",)
        return ("bias", "addend", "multiplier", *own, *(("step",) if self.has_steps else ()))


@dataclass(frozen=True)
class RowsCode:
    """lines: the function's body. cycles, instructions: of one call, by (channel, row) as it is emitted."""

    lines: tuple[str, ...]
    channel: tuple[int, int]
    row: tuple[int, int]


def filter_words(taps: int) -> int:
    return max(taps - 1, 1)


def _products(geometry: Geometry, outputs: range) -> list[Instruction]:
    """All products of those outputs of a line, which start at the bias."""
    taps, stride = geometry.across.filter_size, geometry.across.stride
    first = outputs[0] * stride // 2
    last = (outputs[-1] * stride + taps - 1) // 2
    code: list[Instruction] = []
    begun: set[int] = set()
    for pair in range(first, last + 1):
        for row in range(geometry.filter_rows):
            for output in outputs:
                tap = 2 * pair - output * stride
                if not -1 <= tap < taps:
                    continue
                name, word = _product(tap, taps)
                if name == "smlad" and not geometry.has_weights(word):
                    continue
                addend = ("y", output) if output in begun else "bias"
                begun.add(output)
                sources: tuple[Hashable, ...] = (("x", row, pair), ("w", row, word), addend)
                code.append(Instruction(f"{name} {{d}}, {{0}}, {{1}}, {{2}}", sources, ("y", output)))
    return code


def _product(tap: int, taps: int) -> tuple[str, int]:
    """(instruction, weight word) for a pair of pixels that begins with that tap of the filter."""
    if tap == -1:
        return "smlatb", 0
    if tap == taps - 1:
        return "smlabt", filter_words(taps) - 1
    return "smlad", tap


def _results(how: Requantization, outputs: range, step: int, position: int) -> list[Instruction]:
    """Requantize and store those outputs. position: of outputs[0], in bytes from OUTPUT."""
    code = []
    for y in (("y", output) for output in outputs):
        if how.has_steps:
            code.append(Instruction("and {d}, {0}, {1}, asr #31", ("step", y), ("t", *y)))
            code.append(Instruction("smmla {d}, {0}, {1}, {2}", (y, "multiplier", "addend"), y))
            code.append(Instruction("sub {d}, {0}, {1}", (y, ("t", *y)), y))
        elif how.rounds_sign:
            code.append(Instruction("add {d}, {0}, {1}, asr #31", ("addend", y), ("t", *y)))
            code.append(Instruction("smmlar {d}, {0}, {1}, {2}", (y, "multiplier", ("t", *y)), y))
        else:
            code.append(Instruction("smmla {d}, {0}, {1}, {2}", (y, "multiplier", "addend"), y))
    for index, y in enumerate(("y", output) for output in outputs):
        if how.shift is None:
            code.append(Instruction("asr {d}, {0}, {1}", (y, "shift"), y))
            code.append(Instruction("ssat {d}, #8, {0}", (y,), y))
        else:
            code.append(Instruction(f"ssat {{d}}, #8, {{0}}, asr #{how.shift}", (y,), y))
        if how.low > -128:
            code.append(Instruction(f"cmp {{0}}, #{how.low}\nit lt\nmovlt {{d}}, #{how.low}", (y,), y))
        if how.high < 127:
            code.append(Instruction(f"cmp {{0}}, #{how.high}\nit gt\nmovgt {{d}}, #{how.high}", (y,), y))
        code.append(Instruction(f"strb {{0}}, [{OUTPUT}, #{position + index * step}]", (y,)))
    return code


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


class _Emitter:
    def __init__(
        self, geometry: Geometry, how: Requantization, at_once: int, resident: int, unroll: int
    ) -> None:
        self.geometry, self.how, self.at_once, self.unroll = geometry, how, at_once, unroll
        self.per_row = filter_words(geometry.across.filter_size)
        self.constants = how.constants
        self.frame = _Layout(len(self.constants) + self.per_row * geometry.filter_rows)
        used = [t for t in range(self.per_row) if geometry.has_weights(t)]
        words = [("w", row, t) for row in range(geometry.filter_rows) for t in used]
        self.resident: dict[Hashable, str] = dict(zip(words, reversed(_POOL), strict=False))
        self.resident = dict(list(self.resident.items())[:resident])

    def address(self, value: Hashable) -> str:
        if isinstance(value, str):
            return self.frame.word(self.constants.index(value))
        assert isinstance(value, tuple)
        if value[0] == "w":
            return self.frame.word(len(self.constants) + value[1] * self.per_row + value[2])
        line = value[1] * self.geometry.row_dilation
        return f"[{INPUT}, #{line * self.geometry.line_bytes + 4 * value[2]}]"

    def run(self, count: int) -> list[str]:
        """The next `count` outputs of a row, without moving INPUT and OUTPUT on."""
        step = self.geometry.output_channels
        code: list[Instruction] = []
        for start in range(0, count, self.at_once):
            outputs = range(start, min(start + self.at_once, count))
            code += _products(self.geometry, outputs) + _results(self.how, outputs, step, start * step)
        return allocate(code, self.address, _POOL, self.resident)

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
        lines = [f"ldr r2, {self.frame.table}", "mov r12, sp"]
        for start in range(0, self.frame.words, 8):
            names = ", ".join(f"r{3 + i}" for i in range(min(8, self.frame.words - start)))
            lines += [f"ldm r2!, {{{names}}}", f"stm r12!, {{{names}}}"]
        lines += [f"str r2, {self.frame.table}"]
        if self.geometry.output_rows > 1:
            lines += [f"ldr r2, {self.frame.argument(0)}", f"str r2, {self.frame.rows}"]
        lines += [f"ldr {INPUT}, {self.frame.plane}", f"ldr {OUTPUT}, {self.frame.output}"]
        return lines + [f"ldr {register}, {self.address(value)}" for value, register in self.resident.items()]

    def close_channel(self) -> list[str]:
        plane = self.geometry.plane_bytes if self.geometry.planes > 1 else 0
        lines = [f"ldr r2, {self.frame.output}", "adds r2, r2, #1", f"str r2, {self.frame.output}"]
        if plane:
            lines += [
                f"ldr r2, {self.frame.plane}",
                *add_immediate("r2", plane, "r3"),
                f"str r2, {self.frame.plane}",
            ]
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
            f"str r1, {frame.plane}",
            f"str r2, {frame.table}",
            f"str r3, {frame.output}",
            f"ldr r2, {frame.argument(1)}",
            f"str r2, {frame.channels}",
            "3:",
        ]
        parts = self.row()
        channel = self.open_channel() + self.close_channel()
        row = [line for _, lines in parts for line in lines]
        leave = [f"add sp, sp, #{frame.bytes}", f"pop {{{_SAVED.replace('lr', 'pc')}}}"]
        lines = [*enter, *self.open_channel(), "2:", *row, *self.close_channel(), *leave]
        return RowsCode(
            tuple(lines),
            (cycles(channel), _count(channel)),
            (sum(n * cycles(part) for n, part in parts), sum(n * _count(part) for n, part in parts)),
        )


def _count(lines: list[str]) -> int:
    return sum(not line.endswith(":") for line in lines)


#: (outputs at once, weight words that stay in registers): one of these was the best for every shape tried.
_WAYS = ((2, 6), (4, 5), (4, 2), (5, 0), (6, 0), (1, 0))


@lru_cache(maxsize=256)
def rows_code(geometry: Geometry, how: Requantization, unrolled: int) -> RowsCode:
    """The best of the ways to go along a row. unrolled: the most outputs that a loop has."""
    most = min(unrolled, max(4096 // geometry.output_channels, 1))
    unroll = _outputs_of_loop(geometry, most)
    words = filter_words(geometry.across.filter_size) * geometry.filter_rows
    ways = dict.fromkeys((min(at_once, unroll), min(resident, words)) for at_once, resident in _WAYS)
    codes = [_Emitter(geometry, how, at_once, resident, unroll).code() for at_once, resident in ways]
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
