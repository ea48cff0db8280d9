"""Dot products of pixels with four output channels at once, in thumb-1.

A word of weights holds two output channels: w0 + (w1 << 16). x, one word for each tap, times that word
is x * w0 + (x * w1 << 16), and so is a sum of two such products, S: a pair of taps with
|w| + |w'| <= 255 stays within 16 bits. Its high lane is S / 2**16 rounded, which is S >> 16 plus the bit
shifted out last: ASRS leaves that in the carry, and ADCS adds it. The S of all pairs are summed modulo
2**32 besides, and the low lane is what remains when the high lane is taken out of that.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.kernels.base import Assembly
from mcu_quant.kernels.thumb1.registers import GUARD, RESTORE, SAVE, loop
from mcu_quant.kernels.thumb1.requantize import Form, requantize

#: Output channels that are computed at once.
CHANNELS = 4
_MOST_UNROLLED, _MOST_CHANNELS_EXPANDED, _RUN = 24, 32, 8


def pair_weights(weights: np.ndarray, constants: np.ndarray) -> np.ndarray:
    """The stream that the function reads, int32. weights: int64 [channels, taps], taps even; constants
    [channels, words]. Channels that lack to fours are added: all 0, and their outputs are not stored.

    For each four channels: for each two taps the words (0, 1), (0, 1) of the next tap, (2, 3), (2, 3) of
    the next tap; then each channel's constants.
    """
    lacking = ((0, -len(weights) % CHANNELS), (0, 0))
    weights, constants = np.pad(weights, lacking), np.pad(constants, lacking)
    channels, taps = weights.shape
    words = weights[0::2] + (weights[1::2] << 16)
    quads = words.reshape(channels // 4, 2, taps // 2, 2).transpose(0, 2, 1, 3).reshape(channels // 4, -1)
    stream = np.concatenate([quads, constants.reshape(channels // 4, -1).astype(np.int64)], axis=1)
    return stream.reshape(-1).astype(np.int32)


def pairs_fit(weights: np.ndarray) -> bool:
    """Whether every pair of taps stays within 16 bits. weights: int64 [channels, even number of taps]."""
    return bool((np.abs(weights).reshape(len(weights), -1, 2).sum(axis=2) <= 255).all())


def unrolled_pairs(pairs: int) -> int:
    """How many pairs of taps one round of the loop takes."""
    return max(n for n in range(1, min(pairs, _MOST_UNROLLED) + 1) if pairs % n == 0)


def dot_function(form: Form, taps: int, channels: int, with_table: bool) -> Assembly:
    """mq_thumb1_dot_function_t for an even number of taps.

    r0 x, r1 weights, r2-r5 work, r6 and r7 high lanes of channels 1 and 3, r8 and r9 sums of both pairs,
    r10 output, r11 end of x, r12 clamp table, lr x of this pixel.
    Stack: 0 first weights, 4 end of weights, 8 pixels left, 12 bytes of x from pixel to pixel.
    """
    rounds = taps // 2 // unrolled_pairs(taps // 2)
    body = _round(unrolled_pairs(taps // 2))
    if rounds > 1:
        body += ["cmp r0, r11", *loop(1, "ne", "eq", len(body) + 1, 2)]
    lines = [
        *SAVE,
        "ldm r3!, {r4-r7}",
        "push {r1, r4, r6, r7}",
        "mov r12, r5",
        "mov r10, r2",
        "mov lr, r0",
        "ldr r3, [r3]",
        "adds r3, r3, r0",
        "mov r11, r3",
        "@ four channels of a pixel",
        "4:",
        "movs r6, #0",
        "movs r7, #0",
        "mov r8, r6",
        "mov r9, r6",
        "1:",
        *body,
        *_four_outputs(form, with_table),
        "mov r2, r10",
        "mov r3, r8",
        "mov r0, lr",
        "ldr r4, [sp, #4]",
        "cmp r1, r4",
        "beq 3f",
        *_store(CHANNELS),
        "b 4b",
        "@ the last four, and the next pixel",
        "3:",
        *_store((channels - 1) % CHANNELS + 1),
        "ldr r2, [sp, #12]",
        "add lr, r2",
        "add r11, r2",
        "mov r0, lr",
        "ldr r1, [sp]",
        "ldr r3, [sp, #8]",
        "subs r3, #1",
        "str r3, [sp, #8]",
        "beq 5f",
        "b 4b",
        "5:",
        "add sp, #16",
        *RESTORE,
    ]
    stem = f"dot_{taps}x{channels}_{form.digits}_{form.short.digit_bits}_{form.short.shift}"
    return Assembly(stem, "\n".join(lines), GUARD, "mq_thumb1_dot_function_t", "mq_thumb1_dot_twin")


def _round(pairs: int) -> list[str]:
    lines = []
    for _ in range(pairs):
        lines.append("ldm r0!, {r2, r3}")
        for total, high in (("r8", "r6"), ("r9", "r7")):
            lines += [
                "ldm r1!, {r4, r5}",
                "muls r4, r2",
                "muls r5, r3",
                "adds r4, r4, r5",
                f"add {total}, r4",
                "asrs r4, r4, #16",
                f"adcs {high}, r4",
            ]
    return lines


def _four_outputs(form: Form, with_table: bool) -> list[str]:
    """Split the sums and requantize them: to r8, r6, r5, r7."""
    table = "r0" if with_table else None

    def output(register: str) -> list[str]:
        return requantize(form, register, "r1", ("r2", "r3", "r4"), table)

    return [
        "@ the low lanes, and bytes",
        *(["mov r0, r12"] if with_table else []),
        "lsls r2, r6, #16",
        "mov r5, r8",
        "subs r5, r5, r2",
        *output("r5"),
        "mov r8, r5",
        *output("r6"),
        "lsls r2, r7, #16",
        "mov r5, r9",
        "subs r5, r5, r2",
        *output("r5"),
        *output("r7"),
    ]


def _store(count: int) -> list[str]:
    """The first outputs of r3, r6, r5, r7."""
    stores = [f"strb {register}, [r2, #{i}]" for i, register in enumerate(("r3", "r6", "r5", "r7")[:count])]
    return [*stores, f"adds r2, #{count}", "mov r10, r2"]


def expanded_channels(channels: int, gap: int) -> int:
    """How many channels a step of the function takes: where pixels follow without gaps, what is best."""
    if gap:
        return channels
    if channels % 4:
        return 1
    most = min(channels, _MOST_CHANNELS_EXPANDED)
    return max(n for n in range(4, most + 1, 4) if channels % n == 0)


def expand_function(channels: int, gap: int) -> Assembly:
    """mq_thumb1_expand_function_t for steps of that many channels, `gap` words behind each.

    r0 input, r1 words, r2 work, r3 bytes of the gap, r4-r7 words, r12 steps left.
    """
    lines = ["push {r4-r7, lr}", "mov r12, r2", "ldr r3, [r3, #4]", "lsls r3, r3, #2"]
    if channels == 1 and not gap:
        lines += _run_of_bytes()
    else:
        body = _by_words(channels) if channels % 4 == 0 else _by_bytes(channels)
        body += ["adds r1, r1, r3"] if gap else []
        body += ["mov r4, r12", "subs r4, #1", "mov r12, r4"]
        lines += ["1:", *body, *loop(1, "ne", "eq", len(body), 2)]
    lines.append("pop {r4-r7, pc}")
    stem = f"expand_{channels}{'_apart' if gap else ''}"
    return Assembly(stem, "\n".join(lines), GUARD, "mq_thumb1_expand_function_t", "mq_thumb1_expand_twin")


def _by_words(channels: int) -> list[str]:
    """Pixels that begin at words: four channels from each."""
    group = [
        "ldm r0!, {r7}",
        "sxtb r4, r7",
        "asrs r7, r7, #8",
        "sxtb r5, r7",
        "asrs r7, r7, #8",
        "sxtb r6, r7",
        "asrs r7, r7, #8",
        "stm r1!, {r4-r7}",
    ]
    if channels // 4 <= 16:
        return group * (channels // 4)
    return [f"movs r2, #{channels // 4}", "6:", *group, "subs r2, #1", "bne 6b"]


def _by_bytes(channels: int) -> list[str]:
    groups, rest = divmod(channels, 4)
    lines = _bytes(4) * groups
    if groups > 8:
        lines = [f"movs r2, #{groups}", "6:", *_bytes(4), "subs r2, #1", "bne 6b"]
    return lines + (_bytes(rest) if rest else [])


def _bytes(count: int) -> list[str]:
    registers = ("r4", "r5", "r6", "r7")[:count]
    loads = [f"ldrb {register}, [r0, #{i}]" for i, register in enumerate(registers)]
    signs = [f"sxtb {register}, {register}" for register in registers]
    return [*loads, *signs, f"stm r1!, {{{', '.join(registers)}}}", f"adds r0, #{count}"]


def _run_of_bytes() -> list[str]:
    """r12 bytes, eight a round, then one by one."""
    return [
        "mov r2, r12",
        f"subs r2, #{_RUN}",
        "blt 2f",
        "1:",
        *(_bytes(4) * (_RUN // 4)),
        f"subs r2, #{_RUN}",
        "bge 1b",
        "2:",
        f"adds r2, #{_RUN}",
        "beq 5f",
        "3:",
        *_bytes(1),
        "subs r2, #1",
        "bne 3b",
        "5:",
    ]
