"""The inner loops for int16 activations, in Thumb-2 with the DSP extension: eight sums at once.

    void f(const int16_t *x, const int32_t *block, int32_t turns, int32_t *sums)

x: pairs of activations, of two pixels in turn or of one. block: packed_s16.PackedS16.blocks. turns: of two
pairs. sums: eight, which the products are added to.
"""

from __future__ import annotations

from collections.abc import Iterator

from mcu_quant.kernels.base import Assembly
from mcu_quant.kernels.dsp.linear import DSP_GUARD

_SUMS = ("r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11")
#: What a turn reads of x, in bytes, as a shift of the count of turns.
_TWO_PIXELS_SHIFT, _ONE_PIXEL_SHIFT = 4, 3


def sums_function(name: str, body: str) -> Assembly:
    """One of the two below, for the kernel's call: the same text for all layers."""
    return Assembly(f"{name}_s16", body, DSP_GUARD, "mq_s16_sums_function_t", f"mq_s16_{name}_twin")


def two_pixels_body() -> str:
    """Four channels of two pixels: sums [channel][pixel]."""
    pair = [
        "ldmia r0!, {r2, r3}",
        *_word(iter(_SUMS[:4]), ("r2", "r3")),
        *_word(iter(_SUMS[4:]), ("r2", "r3")),
    ]
    return _function(pair, _TWO_PIXELS_SHIFT)


def one_pixel_body() -> str:
    """Eight channels of one pixel."""
    pair = ["ldr r2, [r0], #4"]
    for first in range(0, 8, 2):
        pair += _word(iter(_SUMS[first : first + 2]), ("r2",))
    return _function(pair, _ONE_PIXEL_SHIFT)


def _word(sums: Iterator[str], pixels: tuple[str, ...]) -> list[str]:
    """A word of weights: two channels of each pixel, whose pair of activations is in a register."""
    lines = ["ldr r12, [r1], #4"]
    for turned in ("sxtb16 lr, r12", "sxtb16 lr, r12, ror #8"):
        lines.append(turned)
        for pixel in pixels:
            total = next(sums)
            lines.append(f"smlad {total}, {pixel}, lr, {total}")
    return lines


def _function(pair: list[str], shift: int) -> str:
    return "\n".join(
        [
            "/* r0 activations, r1 weights, r2 r3 pairs, r12 lr weights; sums r4-r11. */",
            "push {r3-r11, lr}",
            f"add r2, r0, r2, lsl #{shift}",
            f"ldmia r3, {{{', '.join(_SUMS)}}}",
            "push {r2, r3}",
            "1:",
            *pair * 2,
            "ldr r12, [sp]",
            "cmp r0, r12",
            "bne 1b",
            "pop {r2, r3}",
            f"stmia r3, {{{', '.join(_SUMS)}}}",
            "pop {r3-r11, pc}",
        ]
    )
