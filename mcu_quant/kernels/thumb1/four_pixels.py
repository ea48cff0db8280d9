"""Dot products of four pixels with one output channel, in thumb-1, from weights as they are in the model.

A word of input holds a tap of two pixels: x0 + (x1 << 16). A weight times that word is both products;
sums of two taps are taken apart as in dot.py. Four pixels are two such words for each weight.
"""

from __future__ import annotations

from mcu_quant.kernels.base import Assembly
from mcu_quant.kernels.thumb1.registers import GUARD, RESTORE, SAVE, add, loop
from mcu_quant.kernels.thumb1.requantize import Form, clamp

PIXELS = 4
_MOST_UNROLLED = 8


def unrolled_pairs(pairs: int) -> int:
    """How many pairs of taps one round of the loop takes."""
    return max(n for n in range(1, min(pairs, _MOST_UNROLLED) + 1) if pairs % n == 0)


def four_pixels_function(form: Form, taps: int) -> Assembly:
    """mq_thumb1_four_pixels_function_t for an even number of taps.

    r0 x, r1 weights, r2 and r3 two of them, r4 and r5 words of x, r6 and r7 high lanes, r8 and r9 sums of
    both lanes, r10 constants, r11 output of pixel 0, r12 end of x, lr weights kept.
    Stack: 0 channels left, 4, 8, 12 bytes to the outputs of pixels 1 to 3, 16 x.
    """
    pairs = unrolled_pairs(taps // 2)
    body = _round(pairs)
    if pairs < taps // 2:
        body += ["cmp r0, r12", *loop(1, "ne", "eq", len(body) + 1, 2)]
    outputs = _four_outputs(form)
    lines = [
        *SAVE,
        "ldm r3!, {r4-r7}",
        "push {r0}",
        "push {r4-r7}",
        "ldm r3!, {r4, r5}",
        "mov r10, r4",
        "adds r5, r5, r0",
        "mov r12, r5",
        "mov r11, r2",
        "@ a channel of four pixels",
        "4:",
        "movs r6, #0",
        "movs r7, #0",
        "mov r8, r6",
        "mov r9, r6",
        "1:",
        *body,
        "mov lr, r1",
        *outputs,
        "mov r1, lr",
        "ldr r0, [sp, #16]",
        "ldr r4, [sp]",
        "subs r4, #1",
        "str r4, [sp]",
        *loop(4, "ne", "eq", len(body) + len(outputs) + 10, 5),
        "add sp, #20",
        *RESTORE,
    ]
    stem = f"four_pixels_{taps}_{form.digits}_{form.short.digit_bits}_{form.short.shift}"
    twin = "mq_thumb1_four_pixels_twin"
    return Assembly(stem, "\n".join(lines), GUARD, "mq_thumb1_four_pixels_function_t", twin)


def _round(pairs: int) -> list[str]:
    lines = []
    for pair in range(pairs):
        lines += [
            f"ldrb r2, [r1, #{2 * pair}]",
            f"ldrb r3, [r1, #{2 * pair + 1}]",
            "sxtb r2, r2",
            "sxtb r3, r3",
        ]
        for total, high in (("r8", "r6"), ("r9", "r7")):
            lines += [
                "ldm r0!, {r4, r5}",
                "muls r4, r2",
                "muls r5, r3",
                "adds r4, r4, r5",
                f"add {total}, r4",
                "asrs r4, r4, #16",
                f"adcs {high}, r4",
            ]
    return [*lines, f"adds r1, #{2 * pairs}"]


def _four_outputs(form: Form) -> list[str]:
    """Pixels 3 to 0: pixels that do not exist are written where pixel 0 is, before it."""
    rest = 4 * (_words_ahead(form) + form.short.is_signed)
    lines = ["mov r0, r10", *(["ldm r0!, {r1-r3}"] if form.digits == 2 else [])]
    for total, odd, offsets in (("r9", "r7", (12, 8)), ("r8", "r6", (4, None))):
        lines += [f"lsls r4, {odd}, #16", f"mov r5, {total}", "subs r5, r5, r4"]
        for a, offset in zip((odd, "r5"), offsets, strict=True):
            lines += _output(form, a)
            lines += ["mov r4, r11"] if offset is None else [f"ldr r4, [sp, #{offset}]", "add r4, r11"]
            lines.append(f"strb {a}, [r4]")
    return [*lines, "adds r4, #1", "mov r11, r4", *add("r0", rest), "mov r10, r0"]


def _words_ahead(form: Form) -> int:
    """From r0 to the step: with two digits, r0 is already behind the three words in r1-r3."""
    return 0 if form.digits == 2 else form.digits + 1


def _output(form: Form, a: str) -> list[str]:
    """a: accumulator to byte. r1-r3: two digits and the addend, or work. r0: constants. r4: work."""
    bits, short = form.short.digit_bits, form.short
    if form.digits == 2:
        lines = [f"movs r4, {a}", "muls r4, r1", f"asrs r4, r4, #{bits}"]
        lines += [f"muls {a}, r2", f"adds {a}, {a}, r4", f"adds {a}, {a}, r3"]
    else:
        lines = ["ldr r1, [r0]", f"muls r1, {a}", f"asrs r1, r1, #{bits}", "ldr r2, [r0, #4]"]
        lines += [f"muls r2, {a}", "adds r1, r1, r2", f"asrs r1, r1, #{bits}", "ldr r2, [r0, #8]"]
        lines += [f"muls {a}, r2", f"adds {a}, {a}, r1", "ldr r2, [r0, #12]", f"adds {a}, {a}, r2"]
    if short.is_signed:
        lines += [f"ldr r4, [r0, #{4 * _words_ahead(form)}]", f"cmp {a}, #0", "blt 8f"]
        lines += [f"adds {a}, {a}, r4", "8:"]
    lines += [f"asrs {a}, {a}, #{short.shift}"] if short.shift else []
    return lines + clamp(form, a, "r4")


def interleave_function() -> Assembly:
    """mq_thumb1_interleave_function_t: bytes of four pixels to words, two taps a round.

    r0 bytes of pixel 0, r1 words, r2-r4 work, r5-r7 bytes from pixel 0 to pixels 1 to 3, r12 end of r0.
    """
    body = []
    for tap in range(2):
        body += [
            "ldrb r3, [r0]",
            "sxtb r3, r3",
            "ldrsb r2, [r0, r5]",
            "lsls r2, r2, #16",
            "adds r3, r3, r2",
            f"str r3, [r1, #{4 * tap}]",
            "ldrsb r4, [r0, r6]",
            "ldrsb r2, [r0, r7]",
            "lsls r2, r2, #16",
            "adds r4, r4, r2",
            f"str r4, [r1, #{4 * tap + 8}]",
            "adds r0, #1",
        ]
    lines = ["push {r4-r7, lr}", "ldm r3!, {r5-r7}", "adds r2, r2, r0", "mov r12, r2", "1:", *body]
    lines += ["adds r1, #16", "cmp r0, r12", "bne 1b", "pop {r4-r7, pc}"]
    twin = "mq_thumb1_interleave_twin"
    return Assembly("interleave", "\n".join(lines), GUARD, "mq_thumb1_interleave_function_t", twin)
