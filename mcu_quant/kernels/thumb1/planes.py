"""Depthwise convolution in thumb-1: two rows of the image share each product.

A channel is laid out as planes: columns of words, each word a row of the upper half of the image and the
row as far down in the lower half: upper + (lower << 16). A weight times that word is the product for two
outputs; sums are taken apart as in dot.py. A window's column is one run of words.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcu_quant.kernels.base import Assembly
from mcu_quant.kernels.thumb1.registers import GUARD, RESTORE, SAVE, add, loop
from mcu_quant.kernels.thumb1.requantize import Form, clamp
from mcu_quant.ops.windows import WindowAxis

#: Taps of a column that are loaded at once.
RUN = 3
_MOST_ROWS_UNROLLED = 8


@dataclass(frozen=True)
class Planes:
    """pairs: rows of output pairs. half: by how many output rows the lower is below the upper."""

    height: WindowAxis
    width: WindowAxis

    @property
    def pairs(self) -> int:
        return (self.height.output_size + 1) // 2

    @property
    def half(self) -> int:
        return self.height.output_size - self.pairs

    @property
    def rows(self) -> int:
        """Words of a column."""
        return (self.pairs - 1) * self.height.stride + self.height.filter_size

    @property
    def taps(self) -> int:
        return self.height.filter_size * self.width.filter_size

    def columns(self, outputs: int) -> int:
        """Columns under so many output columns."""
        return (outputs - 1) * self.width.stride + self.width.filter_size

    def runs(self) -> list[tuple[int, int]]:
        """(first tap, taps) of each run, in the order column by column."""
        size = self.height.filter_size
        return [
            (column * size + start, min(RUN, size - start))
            for column in range(self.width.filter_size)
            for start in range(0, size, RUN)
        ]

    def is_inside(self, word: int, *, lower: bool) -> bool:
        row = word - self.height.before + (self.half * self.height.stride if lower else 0)
        return 0 <= row < self.height.input_size


def windows_function(form: Form, planes: Planes, *, split: bool, with_table: bool) -> Assembly:
    """mq_thumb1_windows_function_t. split: three taps are two sums, not one.

    r0 words, r1-r3 weights, r4-r6 words and work, r7 high lane, r8 sum of both lanes, r9 words kept,
    r10 output, r11 bytes from upper to lower output, r12 end of the column, lr bytes of an output row.
    Stack: weights, constants, then table, columns left, bytes from a column's last output to the next.
    """
    constants = form.digits + 1 + form.short.is_signed
    table = 4 * (planes.taps + constants)
    frame = table + 12
    stride = planes.height.stride
    body = _sums(planes, split) + _two_outputs(form, planes.taps, with_table, table)
    body += ["mov r1, r10", "strb r5, [r1]", "mov r2, r11", "strb r7, [r1, r2]", "add r1, lr", "mov r10, r1"]
    column = planes.pairs * stride
    lines = [
        *SAVE,
        f"sub sp, #{frame}",
        "mov r10, r2",
        *_copy_to_stack(planes.taps + constants),
        "ldm r3!, {r4-r7}",
        "mov r11, r4",
        "mov lr, r5",
        f"str r6, [sp, #{table + 4}]",
        f"str r7, [sp, #{table + 8}]",
        "ldr r4, [r3]",
        f"str r4, [sp, #{table}]",
        "@ a column of windows",
        "4:",
        f"movs r1, #{column}",
        "lsls r1, r1, #2",
        "adds r1, r1, r0",
        "mov r12, r1",
        "1:",
        *body,
        "cmp r0, r12",
        *loop(1, "ne", "eq", len(body) + 1, 2),
        *add("r0", 4 * (stride_words(planes) - column)),
        f"ldr r1, [sp, #{table + 8}]",
        "add r10, r1",
        f"ldr r1, [sp, #{table + 4}]",
        "subs r1, #1",
        f"str r1, [sp, #{table + 4}]",
        *loop(4, "ne", "eq", len(body) + 16, 5),
        f"add sp, #{frame}",
        *RESTORE,
    ]
    shape = f"{planes.height.filter_size}x{planes.width.filter_size}_{planes.rows}_{stride}"
    stem = f"windows_{shape}{'_split' if split else ''}_{form.short.digit_bits}_{form.short.shift}"
    twin = "mq_thumb1_windows_twin"
    return Assembly(stem, "\n".join(lines), GUARD, "mq_thumb1_windows_function_t", twin)


def stride_words(planes: Planes) -> int:
    """Words from the first window of a column to that of the next."""
    return planes.width.stride * planes.rows


def _copy_to_stack(words: int) -> list[str]:
    lines = ["mov r4, sp"]
    while words:
        count = min(words, RUN)
        registers = f"{{{', '.join(('r5', 'r6', 'r7')[:count])}}}"
        lines += [f"ldm r1!, {registers}", f"stm r4!, {registers}"]
        words -= count
    return lines


def _sums(planes: Planes, split: bool) -> list[str]:
    """r8: the sum of both lanes; r7: the high lane. r0 then points at the next window."""
    lines: list[str] = []
    size = planes.height.filter_size
    for first, count in planes.runs():
        if first and first % size == 0:
            lines += add("r0", 4 * (planes.rows - size))
        is_first = first == 0
        if count == 1:
            lines += [f"ldr r1, [sp, #{4 * first}]", "ldm r0!, {r4}", "muls r4, r1", *_take("r4", is_first)]
            continue
        weights, words = ("r1", "r2", "r3")[:count], ("r4", "r5", "r6")[:count]
        lines += [f"add r1, sp, #{4 * first}", f"ldm r1, {{{', '.join(weights)}}}"]
        lines += [f"ldm r0!, {{{', '.join(words)}}}"]
        lines += [f"muls {x}, {w}" for x, w in zip(words, weights, strict=True)]
        lines.append("adds r4, r4, r5")
        if count == 3 and split:
            lines += [*_take("r4", is_first), *_take("r6", False)]
        else:
            lines += [*(["adds r4, r4, r6"] if count == 3 else []), *_take("r4", is_first)]
    last = (planes.width.filter_size - 1) * planes.rows + size
    return lines + add("r0", 4 * (planes.height.stride - last))


def _take(register: str, is_first: bool) -> list[str]:
    """Add a sum of products to r8, its high lane, rounded, to r7."""
    start = [f"mov r8, {register}", "movs r7, #0"] if is_first else [f"add r8, {register}"]
    return [*start, f"asrs {register}, {register}, #16", f"adcs r7, {register}"]


def _two_outputs(form: Form, taps: int, with_table: bool, table: int) -> list[str]:
    """r5 and r7: the bytes of upper and lower output. The constants are loaded once for both."""
    lines = ["lsls r4, r7, #16", "mov r5, r8", "subs r5, r5, r4"]
    lines += ["mov r9, r0", f"ldr r0, [sp, #{table}]"] if with_table else []
    lines += [f"add r1, sp, #{4 * taps}", "ldm r1, {r1-r3}"]
    for a in ("r5", "r7"):
        lines += _output(form, a, 4 * taps, with_table)
    return lines + (["mov r0, r9"] if with_table else [])


def _output(form: Form, a: str, constants: int, with_table: bool) -> list[str]:
    """a: accumulator to byte, by r1-r3 (two digits and the addend, or three digits), r4 and r6."""
    bits = form.short.digit_bits
    lines = [f"movs r4, {a}", "muls r4, r1", f"asrs r4, r4, #{bits}"]
    top, addend = "r2", ["adds {a}, {a}, r3"]
    if form.digits == 3:
        lines += [f"movs r6, {a}", "muls r6, r2", "adds r4, r4, r6", f"asrs r4, r4, #{bits}"]
        top, addend = "r3", [f"ldr r4, [sp, #{constants + 12}]", "adds {a}, {a}, r4"]
    lines += [f"muls {a}, {top}", f"adds {a}, {a}, r4", *(line.format(a=a) for line in addend)]
    if form.short.is_signed:
        step = constants + 4 * (form.digits + 1)
        lines += [f"ldr r4, [sp, #{step}]", f"asrs r6, {a}, #31", "bics r4, r6", f"adds {a}, {a}, r4"]
    lines += [f"asrs {a}, {a}, #{form.short.shift}"] if form.short.shift else []
    return [*lines, *([f"ldrsb {a}, [r0, {a}]"] if with_table else clamp(form, a, "r4"))]


def planes_function(planes: Planes, zero_point: int) -> Assembly:
    """mq_thumb1_planes_function_t: columns of bytes to columns of words.

    r0 bytes, r1 words, r2 bytes from row to row, r3 bytes from upper to lower row, r4 work, r5 0,
    r6 and r7 words; r12 the column's first byte, lr rounds left.
    Stack: 0 columns left, 4 bytes from column to column.
    """
    upper = [planes.is_inside(word, lower=False) for word in range(planes.rows)]
    lower = [planes.is_inside(word, lower=True) for word in range(planes.rows)]
    whole = [word for word in range(planes.rows) if upper[word] and lower[word]]
    rounds = len(whole) // _MOST_ROWS_UNROLLED if len(whole) >= 3 * _MOST_ROWS_UNROLLED else 0
    looped = range(whole[0], whole[0] + rounds * _MOST_ROWS_UNROLLED) if rounds else range(0)
    body = ["mov r12, r0", *(["subs r0, r0, r2"] * planes.height.before)]
    for word in range(planes.rows):
        if word in looped:
            if word == looped[0]:
                body += _rounds(rounds)
            continue
        body += _word(upper[word], lower[word], zero_point, "r6")
        body += ["stm r1!, {r6}", "adds r0, r0, r2"]
    body += ["mov r0, r12", "ldr r4, [sp, #4]", "adds r0, r0, r4"]
    body += ["ldr r4, [sp]", "subs r4, #1", "str r4, [sp]"]
    lines = [
        "push {r4-r7, lr}",
        "ldm r3, {r2, r3, r6, r7}",
        "push {r6, r7}",
        "movs r5, #0",
        "1:",
        *body,
        *loop(1, "ne", "eq", len(body), 2),
        "pop {r6, r7}",
        "pop {r4-r7, pc}",
    ]
    name = f"planes_{planes.rows}_{planes.height.stride}"
    twin = "mq_thumb1_planes_twin"
    return Assembly(name, "\n".join(lines), GUARD, "mq_thumb1_planes_function_t", twin)


def _rounds(rounds: int) -> list[str]:
    """Rows that lie inside the image in both halves, two words at a time."""
    pair = [*_word(True, True, 0, "r6"), "adds r0, r0, r2", *_word(True, True, 0, "r7"), "adds r0, r0, r2"]
    body = [*pair, "stm r1!, {r6, r7}"] * (_MOST_ROWS_UNROLLED // 2)
    count = [f"movs r4, #{rounds}", "mov lr, r4", "3:"]
    return [*count, *body, "mov r4, lr", "subs r4, #1", "mov lr, r4", "bne 3b"]


def _word(upper: bool, lower: bool, zero_point: int, word: str) -> list[str]:
    """upper + (lower << 16) of the row at r0, zero_point where that is outside the image."""
    magnitude, sign = abs(zero_point), "subs" if zero_point < 0 else "adds"
    if upper and lower:
        loads = [f"ldrsb {word}, [r0, r5]", "ldrsb r4, [r0, r3]", "lsls r4, r4, #16"]
        return [*loads, f"adds {word}, {word}, r4"]
    if lower:
        return [f"ldrsb {word}, [r0, r3]", f"lsls {word}, {word}, #16", f"{sign} {word}, #{magnitude}"]
    start = f"ldrsb {word}, [r0, r5]" if upper else f"movs {word}, #0"
    lines = [start, f"movs r4, #{magnitude}"]
    lines += [] if upper else [f"{sign} {word}, {word}, r4"]
    return [*lines, "lsls r4, r4, #16", f"{sign} {word}, {word}, r4"]
