"""Depthwise sums over patches of 16 bytes: the inner loop of the depthwise convolutions.

The buffer holds words of 4 neighbours along one axis, for each channel: [word][channel][4]. A gather
of 4 words is one channel's patch of 4 x 4 (or 16 in a row), and one `vmladav` with the filter, laid
out like the patch, one output. Filters that leave room are shifted inside the patch to give up to 4
outputs of one gather:
    tiles 2 x 2 (stride 1, filters up to 3 x 3), 4 in a row (one axis, stride 1, filters up to 13),
    or single outputs (any stride, filters up to 4 x 4, or 16 in a row).
The stream, for each channel: 16 weights, bias, multiplier, shift (28 bytes).
Registers: r1 the stream, r9 the output, r3 r5 r7 bias, multiplier, shift, r11 the output's addend,
q0 to q3 the filter and its shifted copies, q4 the patch's addresses, q5 q6 patches and results, q7
where results go; sums in r0 r2 r4 r6 and r8 r10 r12 r0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Assembly
from mcu_quant.kernels.mve import cost, requantize
from mcu_quant.kernels.mve.dots import add, load
from mcu_quant.kernels.mve.requantize import GUARD, Output
from mcu_quant.kernels.mve.schedule import scheduled
from mcu_quant.ops.linear import channel_multipliers

CHANNEL_BYTES = 28
#: Channels in one buffer, at most.
CHUNK = 16
_SUMS = (("r0", "r2", "r4", "r6"), ("r8", "r10", "r12", "r0"))
#: What points at the stream and at the buffer, which are only read.
_SOURCES = ("r1", "q4")
_FILTERS = ("q0", "q1", "q2", "q3")
#: So many pairs of groups are written out, more are a loop.
_UNROLLED = 2


@dataclass(frozen=True)
class Patches:
    """The shape of one inner loop over strips of the buffer.

    rows: of outputs in a strip, 2 for tiles of 2 x 2. tile: columns of outputs from one gather (2, 4
    or 1), tile_words: words from one gather to the next. columns: of outputs. channels: of a buffer.
    strip_words: from one strip to the next. output_column, output_row: bytes between outputs.
    """

    rows: int
    tile: int
    tile_words: int
    columns: int
    channels: int
    strip_words: int
    output_column: int
    output_row: int
    output: Output

    @property
    def word_bytes(self) -> int:
        return 4 * self.channels

    @property
    def group_columns(self) -> int:
        """Columns of a group of 4 outputs."""
        return 4 // self.rows


@dataclass(frozen=True)
class _Group:
    """Up to 4 outputs. gathers: words moved before each gather; places: where results go, in bytes."""

    gathers: tuple[int, ...]
    places: tuple[int, ...]


def _group(shape: Patches, column: int, count: int, first_move: int) -> _Group:
    """Of `count` columns from `column` on, relative to the start of a pair of groups."""
    per_row = [c * shape.output_column for c in range(column, column + count)]
    places = [row * shape.output_row + place for row in range(shape.rows) for place in per_row]
    gathers = (first_move,) if shape.tile > 1 else (first_move,) + (shape.tile_words,) * (count - 1)
    return _Group(gathers, tuple(places + places[-1:] * (4 - len(places))))


def _regular_pair(shape: Patches) -> list[_Group]:
    columns = shape.group_columns
    return [_group(shape, start, columns, shape.tile_words) for start in (0, columns)]


def _tail(shape: Patches) -> list[_Group]:
    """The groups after the pairs."""
    columns = shape.group_columns
    left = shape.columns % (2 * columns)
    if shape.rows == 2 and left % 2:
        # The last tile has a column of the one before once more.
        groups = [_group(shape, 0, 2, 2)] if left == 3 else []
        return [*groups, _group(shape, left - 2, 2, 1)]
    starts = range(0, left, columns)
    return [_group(shape, start, min(columns, left - start), shape.tile_words) for start in starts]


def _sums(shape: Patches, group: _Group, lanes: str, sums: tuple[str, ...]) -> list[str]:
    """A group's sums into lanes."""
    count = len(dict.fromkeys(group.places))
    code = []
    for output in range(count):
        if output < len(group.gathers):
            code.append(f"vldrw.u32 {lanes}, [q4, #{group.gathers[output] * shape.word_bytes}]!")
        weights = _FILTERS[output] if shape.tile > 1 else "q0"
        code.append(f"vmladav.s8 {sums[output]}, {lanes}, {weights}")
    used = [sums[min(lane, count - 1)] for lane in range(4)]
    if count == 1:
        return [*code, f"vdup.32 {lanes}, {used[0]}"]
    for low, high in ((0, 2), (1, 3)):
        if used[low] == used[high]:
            code += [f"vmov.32 {lanes}[{lane}], {used[lane]}" for lane in (low, high)]
        else:
            code.append(f"vmov {lanes}[{high}], {lanes}[{low}], {used[low]}, {used[high]}")
    return code


def _unit(shape: Patches, groups: list[_Group], table: int, regular: bool) -> list[str]:
    """One or two groups: sums, scaled and stored. table: where on the stack their places are."""
    code = []
    # Scaled in place, or from q5 to q7 and from q6 to q5, so that the groups need not wait for each other.
    target, places = ("q5", "q7") if shape.output.rounds_up else ("q7", "q6")
    for group, lanes, spare, sums, half in zip(groups, ("q5", "q6"), ("q7", "q5"), _SUMS, "bt", strict=False):
        scaled, result = requantize.scale(lanes, spare, "r5", "r7", shape.output)
        code += [*_sums(shape, group, lanes, sums), f"vadd.i32 {lanes}, {lanes}, r3", *scaled]
        code.append(requantize.narrow(target, result, half, shape.output))
    code += requantize.moved(target, shape.output, "r11")
    code += requantize.clamp(target, shape.output, "r0", "q6")
    if not regular or not shape.output.rounds_up:
        code.append(f"vldrw.u32 {places}, [sp, #{table}]")
    return [*code, f"vstrb.{16 if len(groups) == 2 else 32} {target}, [r9, {places}]"]


def _words(groups: list[_Group]) -> list[int]:
    """Where results go, for the scatter: 32-bit, or 16-bit with those of two groups alternating."""
    if len(groups) == 1:
        return list(groups[0].places)
    return [low | high << 16 for low, high in zip(groups[0].places, groups[1].places, strict=True)]


def _copies(shape: Patches) -> list[str]:
    """The filter shifted inside the patch."""
    if shape.tile == 1:
        return []
    if shape.rows == 1:
        sources, bits = ("q0", "q1", "q2"), (8, 8, 8)
    else:
        sources, bits = ("q0", "q0", "q1"), (32, 8, 8)
    code = ["mov r0, #0"]
    for target, source, shift in zip(_FILTERS[1:], sources, bits, strict=True):
        code += [f"vmov {target}, {source}", f"vshlc {target}, r0, #{shift}"]
    return code


_REGULAR, _TAIL, _COUNTS, _OUTPUT, _FRAME = 16, 32, 48, 56, 68
#: Registers on the stack, in bytes.
_SAVED = 100


def _parts(shape: Patches) -> dict[str, list[str]]:
    pairs, tail = divmod(shape.columns, 2 * shape.group_columns)
    looped = pairs > _UNROLLED
    units = [_regular_pair(shape)] * pairs + ([_tail(shape)] if tail else [])
    to_next = shape.strip_words - sum(move for unit in units for group in unit for move in group.gathers)
    # Where a gather can make it, the way to the next strip is part of the first move in a strip.
    jump = to_next if not looped and abs(shape.tile_words + to_next) * shape.word_bytes <= 508 else 0
    first = units[0][0]
    units[0] = [replace(first, gathers=(first.gathers[0] + jump, *first.gathers[1:])), *units[0][1:]]
    advance = 2 * shape.group_columns * shape.output_column
    code = {"entry": _entry(shape), "channel": _channel(shape, looped), "start": ["3:"], "outputs": []}
    if tail and pairs and shape.output.rounds_up:
        code["start"].append(f"vldrw.u32 q7, [sp, #{_REGULAR}]")
    if looped:
        code["start"] += [f"mov lr, #{pairs}", "dls lr, lr", "2:"]
    for unit in units[:1] if looped else units[:pairs]:
        code["outputs"] += [*_unit(shape, unit, _REGULAR, True), *add("r9", advance, "r0")]
    code["pairs_end"] = ["le lr, 2b"] if looped else []
    code["tail"] = _unit(shape, units[-1], _TAIL, False) if tail else []
    end = [] if jump == to_next else [*load("r0", to_next * shape.word_bytes), "vadd.i32 q4, q4, r0"]
    forward = shape.rows * shape.output_row - pairs * advance
    end += add("r9", forward, "r0") if forward >= 0 else [*load("r0", -forward), "sub r9, r9, r0"]
    left = f"[sp, #{_OUTPUT + 4}]"
    again = [f"ldr r0, {left}", "subs r0, r0, #1", f"str r0, {left}", "bne 3b"] if looped else ["le lr, 3b"]
    code["end"] = [*end, *again]
    code["next"] = [f"ldr r0, [sp, #{_COUNTS}]", "subs r0, r0, #1", f"str r0, [sp, #{_COUNTS}]", "bne 1b"]
    code["leave"] = [f"add sp, sp, #{_FRAME}", "vpop {d8-d15}", "pop {r4-r11, pc}"]
    bias = -(shape.tile_words + jump) * shape.word_bytes
    table = [lane * shape.word_bytes + bias for lane in range(4)] + _words(_regular_pair(shape))
    table += _words(_tail(shape)) if tail else [0] * 4
    if not looped:
        code["outputs"], code["tail"] = code["outputs"] + code["tail"], []
    for part in ("channel", "outputs", "tail"):
        code[part] = scheduled(code[part], _SOURCES)
    code["table"] = [".balign 4", "9:", *(f".word {value & 0xFFFFFFFF}" for value in table)]
    return code


def _entry(shape: Patches) -> list[str]:
    return [
        "/* r0 buffer, r1 output, r2 weights, r3 strips, on the stack: channels */",
        "push {r4-r11, lr}",
        "vpush {d8-d15}",
        f"sub sp, sp, #{_FRAME}",
        "adr r4, 9f",
        "vldrw.u32 q4, [r4]",
        "vadd.i32 q4, q4, r0",
        "vldrw.u32 q7, [r4, #16]",
        "vldrw.u32 q6, [r4, #32]",
        "/* sp: a patch's addresses, 16, 32: where results go, 48: channels, strips, output, strips left */",
        "vstrw.32 q4, [sp]",
        f"vstrw.32 q7, [sp, #{_REGULAR}]",
        f"vstrw.32 q6, [sp, #{_TAIL}]",
        f"ldr r4, [sp, #{_FRAME + _SAVED}]",
        f"strd r4, r3, [sp, #{_COUNTS}]",
        f"str r1, [sp, #{_OUTPUT}]",
        "mov r1, r2",
        f"mov r11, #{requantize.addend(shape.output)}",
    ]


def _channel(shape: Patches, looped: bool) -> list[str]:
    """What is done once for a channel. The strips are counted on the stack, or in lr if nothing else is."""
    return [
        "1:",
        "vldrb.u8 q0, [r1], #16",
        *_copies(shape),
        "vldrw.u32 q4, [sp]",
        "mov r0, #4",
        "vadd.i32 q5, q4, r0",
        "ldm r1!, {r3, r5, r7}",
        "vstrw.32 q5, [sp]",
        f"ldrd r2, r9, [sp, #{_COUNTS + 4}]",
        "add r0, r9, #1",
        *([f"strd r0, r2, [sp, #{_OUTPUT}]"] if looped else [f"str r0, [sp, #{_OUTPUT}]", "dls lr, r2"]),
    ]


def function(shape: Patches) -> Assembly:
    body = [line for lines in _parts(shape).values() for line in lines]
    return Assembly("patches", "\n".join(body), GUARD, "mq_mve_patches_function_t", "mq_mve_patches_twin")


def cycles(shape: Patches, strips: int, calls: int, channels: int) -> int:
    """Modelled, of `calls` calls for so many channels that do `strips` strips in all."""
    code = {part: cost.cycles(lines) for part, lines in _parts(shape).items() if part != "table"}
    pairs = shape.columns // (2 * shape.group_columns)
    rounds = pairs if pairs > _UNROLLED else 1
    strip = code["start"] + rounds * (code["outputs"] + code["pairs_end"]) + code["tail"] + code["end"]
    each = calls * (code["channel"] + code["next"]) + strips * strip
    return calls * (code["entry"] + code["leave"]) + channels * each


def far(shape: Patches) -> bool:
    """Places that 16 bits do not hold, or moves that no gather makes."""
    reach = (shape.rows - 1) * shape.output_row + 2 * shape.group_columns * shape.output_column
    return reach > 0xFFFF or shape.tile_words * shape.word_bytes > 508


def interleave(step: int, aligned: bool) -> Assembly:
    """Four rows of 16 channels to words of 4, from one vector to the next `step` bytes in each row."""
    entry = ["/* r0 rows, r1 words, r2 vectors */", "push {r4-r6, lr}"]
    entry += ["ldm r0, {r3, r4, r5, r6}", "dls lr, r2", "1:"]
    loads: list[str] = []
    for q, row in enumerate(("r3", "r4", "r5", "r6")):
        if aligned and step <= 508:
            loads.append(f"vldrw.u32 q{q}, [{row}], #{step}")
        elif step <= 127:
            loads.append(f"vldrb.u8 q{q}, [{row}], #{step}")
        else:
            loads += [f"vldrb.u8 q{q}, [{row}]", *add(row, step, "r12")]
    stores = [f"vst4{part}.8 {{q0, q1, q2, q3}}, [r1]" for part in range(4)]
    code = [*entry, *loads, *stores[:3], stores[3] + "!", "le lr, 1b", "pop {r4-r6, pc}"]
    types = ("mq_mve_interleave_function_t", "mq_mve_interleave_twin")
    return Assembly("interleave", "\n".join(code), GUARD, *types)


def packed(node: BoundNode, filters: np.ndarray) -> np.ndarray:
    """The stream. filters: int8 [channels, 16], laid out as the patches are."""
    data = node.input(1).data
    assert data is not None
    channels = len(filters)
    multiplier, shift = channel_multipliers(node)
    bias = requantize.folded_bias(node, data.reshape(-1, channels).T)
    stream = np.zeros((channels, CHANNEL_BYTES), np.int8)
    stream[:, :16] = filters
    for index, values in enumerate((bias, multiplier, shift)):
        stream[:, 16 + 4 * index : 20 + 4 * index] = requantize.words(values).reshape(channels, 4)
    return stream.reshape(-1)
