"""The inner loops of linear_assembly.py for any shape: one function for all layers of a model.

Sizes come from the first four fields of the parameters: pairs of inputs (an even number), elements
from a pixel to the next one, bytes of a pixel's outputs in whole blocks, the requantization's shift.
"""

from __future__ import annotations

from mcu_quant.kernels.dsp.linear_assembly import (
    FIRST_SUMS,
    ONE_SUMS,
    SECOND_SUMS,
    Shape,
    double_step,
)
from mcu_quant.kernels.dsp.linear_outputs import odd_sums, requantized, requantized_and_stored
from mcu_quant.kernels.dsp.requantization import ShortRequantization

#: Slots of the stack frame; behind it nine saved registers, then the fifth argument.
_OUT, _OUT_END, _X, _X_END, _PIXELS, _BLOCKS, _X_BYTES, _PIXEL_BYTES, _OUTPUT_BYTES, _SHIFT = range(0, 40, 4)
_FRAME = 40
_PARAMS = _FRAME + 9 * 4


def small_sweep_body(is_expanded: bool, short: ShortRequantization) -> str:
    """As linear_assembly.sweep_body. is_expanded: x is int16 in pairs, and pixels go two at a time."""
    lines = [
        "push {r4-r11, lr}",
        f"sub sp, sp, #{_FRAME}",
        f"str r0, [sp, #{_X}]",
        f"str r1, [sp, #{_BLOCKS}]",
        f"str r2, [sp, #{_OUT}]",
        f"ldr r4, [sp, #{_PARAMS}]",
        "ldmia r4, {r5-r8}",
        f"lsls r5, r5, #{2 if is_expanded else 1}",
        *(["lsls r6, r6, #1"] if is_expanded else []),
        f"str r5, [sp, #{_X_BYTES}]",
        f"str r6, [sp, #{_PIXEL_BYTES}]",
        f"str r7, [sp, #{_OUTPUT_BYTES}]",
        f"str r8, [sp, #{_SHIFT}]",
        *(_two_pixels(short) if is_expanded else []),
        *_one_pixel(is_expanded, short),
        "9:",
        f"add sp, sp, #{_FRAME}",
        "pop {r4-r11, pc}",
    ]
    return "\n".join(lines)


def _two_pixels(short: ShortRequantization) -> list[str]:
    """Labels 1 (pixels), 2 (blocks), 3 (inputs), 4 (end)."""
    sums = (FIRST_SUMS, SECOND_SUMS)
    return [
        "/* Two pixels: r0 r2 inputs, r1 block, r3 r4 input pairs, r5 weights; sums r6-r9, r10-r12 lr. */",
        "1:",
        "subs r3, r3, #2",
        "blt 4f",
        f"str r3, [sp, #{_PIXELS}]",
        *_sum("r2", _OUT, _OUTPUT_BYTES, _OUT_END),
        *_sum("r2", _X, _X_BYTES, _X_END),
        "2:",
        "ldmia r1, {r6-r9}",
        "ldmia r1!, {r10-r12, lr}",
        f"ldr r0, [sp, #{_X}]",
        f"ldr r2, [sp, #{_PIXEL_BYTES}]",
        "add r2, r2, r0",
        "3:",
        *_pair_of_two() * 2,
        f"ldr r5, [sp, #{_X_END}]",
        "cmp r0, r5",
        "bne 3b",
        *(line for registers in sums for line in odd_sums(registers)),
        f"ldr r0, [sp, #{_SHIFT}]",
        *(line for c in range(4) for line in requantized(short, c, [s[c] for s in sums], "r0")),
        f"ldr r0, [sp, #{_OUT}]",
        f"ldr r2, [sp, #{_OUTPUT_BYTES}]",
        "add r2, r2, r0",
        *(f"strb {SECOND_SUMS[c]}, [r2, #{c}]" for c in range(4)),
        *(f"strb {FIRST_SUMS[c]}, [r0, #{c}]" for c in (1, 2, 3)),
        f"strb {FIRST_SUMS[0]}, [r0], #4",
        f"str r0, [sp, #{_OUT}]",
        f"ldr r2, [sp, #{_OUT_END}]",
        "cmp r0, r2",
        "bne 2b",
        *_sum("r2", _OUT, _OUTPUT_BYTES, _OUT),
        *_sum("r2", _X, _PIXEL_BYTES, _X),
        *_sum("r2", _X, _PIXEL_BYTES, _X),
        f"ldr r1, [sp, #{_BLOCKS}]",
        f"ldr r3, [sp, #{_PIXELS}]",
        "b 1b",
        "4:",
        "adds r3, r3, #2",
        "beq 9f",
    ]


def _pair_of_two() -> list[str]:
    """Sixteen products, with one register for weights."""
    lines = ["ldr r3, [r0], #4", "ldr r4, [r2], #4"]
    for even, odd in ((0, 1), (2, 3)):
        lines += [
            "ldr r5, [r1], #4",
            *(f"smlad {s[odd]}, {x}, r5, {s[odd]}" for s, x in ((FIRST_SUMS, "r3"), (SECOND_SUMS, "r4"))),
            "sxtb16 r5, r5",
            *(f"smlad {s[even]}, {x}, r5, {s[even]}" for s, x in ((FIRST_SUMS, "r3"), (SECOND_SUMS, "r4"))),
        ]
    return lines


def _one_pixel(is_expanded: bool, short: ShortRequantization) -> list[str]:
    """Labels 5 (pixels), 6 (blocks), 7 (inputs)."""
    # Nothing is known of alignment: pixel_bytes is of a layer whose pixels are not whole words.
    shape = Shape(2, 2, 4, is_expanded, by_two=False, may_be_odd=True)
    return [
        "/* One pixel: r0 inputs, r1 block, r2-r5 weights, r6 r7 input pairs; sums r8-r11, lr output. */",
        f"ldr lr, [sp, #{_OUT}]",
        "5:",
        f"str r3, [sp, #{_PIXELS}]",
        f"ldr r12, [sp, #{_OUTPUT_BYTES}]",
        "add r12, r12, lr",
        f"str r12, [sp, #{_OUT_END}]",
        "6:",
        "ldmia r1!, {r8-r11}",
        f"ldr r0, [sp, #{_X}]",
        f"ldr r12, [sp, #{_X_BYTES}]",
        "add r12, r12, r0",
        "7:",
        *double_step(shape),
        "cmp r0, r12",
        "bne 7b",
        *odd_sums(ONE_SUMS),
        f"ldr r0, [sp, #{_SHIFT}]",
        *requantized_and_stored(short, 0, (ONE_SUMS,), "lr", "r0"),
        f"ldr r2, [sp, #{_OUT_END}]",
        "cmp lr, r2",
        "bne 6b",
        *_sum("r2", _X, _PIXEL_BYTES, _X),
        f"ldr r1, [sp, #{_BLOCKS}]",
        f"ldr r3, [sp, #{_PIXELS}]",
        "subs r3, r3, #1",
        "bne 5b",
    ]


def _sum(register: str, first: int, second: int, to: int) -> list[str]:
    """Slot `to` = slot `first` + slot `second`; r4 is lost."""
    return [
        f"ldr {register}, [sp, #{first}]",
        f"ldr r4, [sp, #{second}]",
        f"add {register}, {register}, r4",
        f"str {register}, [sp, #{to}]",
    ]
