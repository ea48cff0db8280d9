"""Depthwise convolution on Cortex-M3: two output rows at once, one channel after the other.

The output is computed in bands of rows. A word of a band's strip holds two pixels of a channel, upper +
(lower << 16): one for an output in the upper half of the band, one for that in the lower half.
Multiplied by a weight it gives both products; the products of as many taps as have sum |w| <= 255 fit
the halves (see dot.py for how they come apart). Columns are contiguous in the strip and padding is in
it, so that every window has its words at the same distances. Bands are of one size: the last one
begins higher if need be, and in a band of an odd number of rows the middle one is computed twice.

The table has, for each channel, the weights in the strip's order (columns first), then
Requantization.constants. C twins: mq_armv7m_window_twin, mq_armv7m_pack_twin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.dot import GUARD, bias_of
from mcu_quant.kernels.armv7m.requantization import Requantization, plan_requantization
from mcu_quant.kernels.assembly_cycles import loop_cycles
from mcu_quant.kernels.base import Assembly, Core
from mcu_quant.ops.windows import WindowAxes

#: Taps whose products are added in one word: for any weights, and for those of channels that allow it.
SAFE_TAPS, WIDE_TAPS = 2, 3
#: How far a load reaches from its base register, in bytes.
_REACH, _PAIR_REACH = 4095, 1020
#: What the strip may take where bands make that possible.
_SCRATCH_BYTES = 2048
_CHUNK = 3


@dataclass(frozen=True)
class Strip:
    """Where pixels are. rows: output rows of a band; half: of each half; starts: the bands' first output
    rows. lower: input rows from an upper pixel to its lower one; lines: words of a column; columns: of the
    strip. offsets: words from a window's first to each of its taps, in the table's order.
    """

    rows: int
    half: int
    starts: tuple[int, ...]
    lower: int
    lines: int
    columns: int
    offsets: tuple[int, ...]

    @property
    def bytes(self) -> int:
        return 4 * self.lines * self.columns

    @property
    def bands_by_padding(self) -> tuple[int, int, int]:
        """A first output row of each kind of band: the topmost, one between, the last."""
        return self.starts[0], self.starts[min(1, len(self.starts) - 1)], self.starts[-1]


def strip_of(axes: WindowAxes) -> Strip:
    """The cheapest height of bands whose strips are small; else the smallest strips."""
    rows = axes[0].output_size
    strips = [strip for count in range(1, rows + 1) if (strip := _strip(axes, count)) is not None]
    small = [strip for strip in strips if strip.bytes <= _SCRATCH_BYTES]
    return min(small, key=_band_cycles) if small else min(strips, key=lambda strip: strip.bytes)


def _band_cycles(strip: Strip) -> float:
    """Roughly, by which the height of bands is chosen: packing, windows, calls."""
    windows = strip.half * strip.columns * (40 + 5 * len(strip.offsets))
    return len(strip.starts) * (5.0 * strip.lines * strip.columns + windows + 100)


def _strip(axes: WindowAxes, rows: int) -> Strip | None:
    """None if a band between the first and the last would have padding."""
    height, width = axes
    starts = tuple(min(start, height.output_size - rows) for start in range(0, height.output_size, rows))
    half = -(-rows // 2)
    span = (height.filter_size - 1) * height.dilation + 1
    for start in starts[1:-1]:
        first = start * height.stride - height.before
        if first < 0 or first + (rows - 1) * height.stride + span > height.input_size:
            return None
    lines = (half - 1) * height.stride + span
    columns = (width.output_size - 1) * width.stride + (width.filter_size - 1) * width.dilation + 1
    offsets = tuple(
        tap_x * width.dilation * lines + tap_y * height.dilation
        for tap_x in range(width.filter_size)
        for tap_y in range(height.filter_size)
    )
    return Strip(rows, half, starts, (rows - half) * height.stride, lines, columns, offsets)


def band_overlap(node: BoundNode, axes: WindowAxes) -> int:
    """The least address(input) - address(output): a band is written while its rows are still read."""
    height, _ = axes
    strip = strip_of(axes)
    input_row = node.input(0).bytes // node.input(0).shape[1]
    output_row = node.output.bytes // node.output.shape[1]
    return max(
        (start + strip.rows) * output_row - max(start * height.stride - height.before, 0) * input_row
        for start in strip.starts
    )


@dataclass(frozen=True, eq=False)
class StripPlan:
    """table: int32. is_wide: per channel, whether WIDE_TAPS fit."""

    strip: Strip
    table: np.ndarray
    is_wide: np.ndarray
    requantization: Requantization


def plan_strips(node: BoundNode, axes: WindowAxes) -> StripPlan | None:
    """None if the node's weights, scales or distances do not allow it."""
    weights = node.input(1)
    assert weights.data is not None
    strip = strip_of(axes)
    # [channels, taps], the taps of a column next to each other.
    rows = weights.data[0].astype(np.int64).transpose(2, 1, 0).reshape(weights.shape[3], -1)
    if 4 * max(strip.offsets) > _REACH or not _fit(rows, SAFE_TAPS).all():
        return None
    fold = bias_of(node) - node.input(0).zero_point * rows.sum(axis=1)
    requantization = plan_requantization(node, fold, 128 * np.abs(rows).sum(axis=1))
    if requantization is None:
        return None
    table = np.concatenate([rows.astype(np.int32), requantization.constants], axis=1)
    return StripPlan(strip, table, _fit(rows, WIDE_TAPS), requantization)


def _fit(rows: IntArray, taps: int) -> np.ndarray:
    """For which channels the products of so many taps in a row fit 16 bits."""
    starts = np.arange(0, rows.shape[1], taps)
    return np.asarray(np.add.reduceat(np.abs(rows), starts, axis=1).max(axis=1) <= 255)


def window_cycles(plan: StripPlan, taps: int, stride: int, columns: int, core: Core) -> float:
    """Modelled, of a channel in a band. columns: of the output."""
    body = window_assembly(plan, taps, stride).body
    return loop_cycles(body, {1: columns, 2: columns * plan.strip.half}, core)


def pack_cycles(node: BoundNode, axes: WindowAxes, strip: Strip, core: Core) -> float:
    """Modelled, of a channel in all bands."""
    columns = min(node.input(0).shape[2], strip.columns - axes[1].before)

    def band(start: int) -> float:
        return loop_cycles(pack_assembly(node, axes, strip, start).body, {1: columns}, core)

    first, between, last = strip.bands_by_padding
    if len(strip.starts) == 1:
        return band(first)
    return band(first) + (len(strip.starts) - 2) * band(between) + band(last)


def window_assembly(plan: StripPlan, taps: int, stride: int) -> Assembly:
    """r0 x, r1 table, r2 both sums, r3 the lower's, r4 products, r5 0x8000, r12 output, lr column's end."""
    strip = plan.strip
    body = [
        "push {r4-r11, lr}",
        "sub sp, #24",
        "ldm r3, {r4-r9}",  # mq_armv7m_strip_t: lower_bytes, row_bytes, columns, jumps, half_bytes
        "stm sp, {r4-r9}",
        "mov r12, r2",
        "mov r5, #0x8000",
        "1:",
        "ldr lr, [sp, #20]",
        "add lr, lr, r0",
        "2:",
        *_sums(strip.offsets, taps),
        *_outputs(plan.requantization, len(strip.offsets)),
        f"add r0, #{4 * stride}",
        "cmp r0, lr",
        "bne 2b",
        "ldrd r6, r7, [sp, #8]",
        "ldr r8, [sp, #16]",
        "add r0, r0, r7",
        "add r12, r12, r8",
        "subs r6, #1",
        "str r6, [sp, #8]",
        "bne 1b",
        "add sp, #24",
        "pop {r4-r11, pc}",
    ]
    stem = f"depthwise_{len(strip.offsets)}_taps_by_{taps}"
    return Assembly(stem, "\n".join(body), GUARD, "mq_armv7m_window_function_t", "mq_armv7m_window_twin")


def _sums(offsets: tuple[int, ...], taps: int) -> list[str]:
    lines: list[str] = []
    sums = -(-len(offsets) // taps)
    for tap in range(len(offsets)):
        if tap % _CHUNK == 0:
            lines += _loads(offsets[tap : tap + _CHUNK])
        register = tap % _CHUNK
        start = "r5" if tap % taps == 0 else "r4"
        lines.append(f"mla r4, r{9 + register}, r{6 + register}, {start}")
        if tap + 1 == len(offsets) or (tap + 1) % taps == 0:
            if tap < taps:
                lines += [f"sub r2, r4, #{0x8000 * sums}", "asr r3, r4, #16"]
            else:
                lines += ["add r3, r3, r4, asr #16", "add r2, r2, r4"]
    return lines


def _loads(offsets: tuple[int, ...]) -> list[str]:
    """Words into r6, r7, r8, weights into r9, r10, r11."""
    lines, index = [], 0
    while index < len(offsets):
        place = 4 * offsets[index]
        is_pair = index + 1 < len(offsets) and offsets[index + 1] == offsets[index] + 1
        if is_pair and place <= _PAIR_REACH:
            lines.append(f"ldrd r{6 + index}, r{7 + index}, [r0, #{place}]")
            index += 2
        else:
            lines.append(f"ldr r{6 + index}, [r0, #{place}]")
            index += 1
    weights = ["r9", "r10", "r11"][: len(offsets)]
    many = f"ldm r1!, {{{', '.join(weights)}}}"
    return [*lines, many if len(weights) > 1 else "ldr r9, [r1], #4"]


def _outputs(requantization: Requantization, taps: int) -> list[str]:
    return [
        "sub r2, r2, r3, lsl #16",
        "ldm r1, {r6, r7, r8, r9}",
        f"sub r1, #{4 * taps}",
        "mov r10, r7",
        "mov r11, r8",
        *requantization.emit("r2", ("r6", "r7", "r8", "r9")),
        *requantization.emit("r3", ("r6", "r10", "r11", "r9")),
        "ldrd r6, r7, [sp]",
        "strb r2, [r12]",
        "strb r3, [r12, r6]",
        "add r12, r12, r7",
    ]


def pack_assembly(node: BoundNode, axes: WindowAxes, strip: Strip, start: int) -> Assembly:
    """For the band that starts at that output row.

    r0 the band's first row in the input, r3 the same for lower pixels, r1 strip, r2 columns left, r9 r10
    zero_point in both halves.
    """
    x = node.input(0)
    first = start * axes[0].stride - axes[0].before
    packer = _Packer(x.shape[1] - max(first, 0), x.bytes // x.shape[1], max(-first, 0), strip)
    words = [text for line in range(strip.lines) for text in packer.word(line)] + packer.rest()
    body = [
        "push {r4-r10, lr}",
        "ldr r2, [r2, #24]",  # mq_armv7m_strip_t: pixels
        *_constant("r3", strip.lower * packer.row_bytes),
        "add r3, r0, r3",
        f"mov r9, #{x.zero_point}",
        "lsl r10, r9, #16",
        "1:",
        *words,
        *_constant("r4", x.shape[3] - packer.base),
        "add r0, r0, r4",
        "add r3, r3, r4",
        "subs r2, #1",
        "bne 1b",
        "pop {r4-r10, pc}",
    ]
    stem = f"pack_{strip.lines}"
    return Assembly(stem, "\n".join(body), GUARD, "mq_armv7m_pack_function_t", "mq_armv7m_pack_twin")


def _constant(register: str, value: int) -> list[str]:
    low, high = value & 0xFFFF, (value >> 16) & 0xFFFF
    return [f"movw {register}, #{low}", *([f"movt {register}, #{high}"] if high else [])]


class _Packer:
    """Emits the words of a column, from the top; four at a time are stored. base: what r0 and r3 moved."""

    def __init__(self, input_rows: int, row_bytes: int, before: int, strip: Strip) -> None:
        self.row_bytes = row_bytes
        self.base = 0
        self._rows, self._before, self._lower = input_rows, before, strip.lower
        self._waiting: list[str] = []

    def word(self, line: int) -> list[str]:
        upper = line - self._before
        has_upper, has_lower = (0 <= row < self._rows for row in (upper, upper + self._lower))
        lines: list[str] = []
        place = 0
        if has_upper or has_lower:
            lines, place = self._reach(upper * self.row_bytes)
        register = f"r{5 + len(self._waiting)}"
        if has_upper:
            lines.append(f"ldrsb {register}, [r0, #{place}]")
        if has_lower:
            lines.append(f"ldrsb r4, [r3, #{place}]")
        lower = "r4, lsl #16" if has_lower else "r10"
        lines.append(f"add {register}, {register if has_upper else 'r9'}, {lower}")
        self._waiting.append(register)
        return lines + (self.rest() if len(self._waiting) == 4 else [])

    def rest(self) -> list[str]:
        registers, self._waiting = self._waiting, []
        if not registers:
            return []
        if len(registers) == 1:
            return [f"str {registers[0]}, [r1], #4"]
        return [f"stm r1!, {{{', '.join(registers)}}}"]

    def _reach(self, offset: int) -> tuple[list[str], int]:
        """Move the bases if a load at that offset would be too far; (instructions, what is left)."""
        place = offset - self.base
        if 0 <= place <= _REACH:
            return [], place
        self.base = offset
        return [*_constant("r4", place), "add r0, r0, r4", "add r3, r3, r4"], 0
