"""The inner loop of a fully connected layer for eight units at once, in Thumb-2 with the DSP extension.

    void f(const int8_t *x, const int32_t *blocks, int8_t *output, int32_t rows, const void *params)

Each word of the input, once widened, serves eight units: their sums fill the registers. blocks:
linear.PackedLayer.blocks, of eight units. Loads of two words behind a load cost one cycle each, alone as
much as LDM of two.
"""

from __future__ import annotations

from mcu_quant.kernels.dsp.linear_assembly import added, turns_of
from mcu_quant.kernels.dsp.linear_outputs import odd_sums, requantized
from mcu_quant.kernels.dsp.requantization import ShortRequantization

#: Units of a block.
WIDE_BLOCK = 8
#: Slots of the stack frame.
_OUT, _OUT_END, _X, _X_END, _ROWS, _BLOCKS, _FRAME = range(0, 28, 4)
_SUMS = ("r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr")


def wide_rows_body(row_bytes: int, output_bytes: int, straight: int, short: ShortRequantization) -> str:
    """row_bytes, output_bytes: of a row, in whole words and whole blocks. straight: steps of a turn."""
    words = row_bytes // 4
    straight, turns = turns_of(words, straight)
    loop = [f"ldr r2, [sp, #{_X_END}]", "cmp r0, r2", "bne 3b"] if turns > 1 else []
    lines = [
        "/* r0 inputs, r1 block, r2 r3 input pairs, r4 r5 weights; sums r6-r12 lr. */",
        "push {r4-r11, lr}",
        f"sub sp, sp, #{_FRAME}",
        f"str r0, [sp, #{_X}]",
        f"str r1, [sp, #{_BLOCKS}]",
        f"str r2, [sp, #{_OUT}]",
        "1:",
        f"str r3, [sp, #{_ROWS}]",
        f"ldr r2, [sp, #{_OUT}]",
        *added("r2", "r2", output_bytes),
        f"str r2, [sp, #{_OUT_END}]",
        f"ldr r0, [sp, #{_X}]",
        *added("r2", "r0", 4 * straight * turns),
        f"str r2, [sp, #{_X_END}]",
        "2:",
        f"ldmia r1!, {{{', '.join(_SUMS)}}}",
        f"ldr r0, [sp, #{_X}]",
        "3:",
        *_word() * straight,
        *loop,
        *_word() * (words - straight * turns),
        *odd_sums(_SUMS),
        f"ldr r0, [sp, #{_OUT}]",
        *_outputs(short),
        f"str r0, [sp, #{_OUT}]",
        f"ldr r2, [sp, #{_OUT_END}]",
        "cmp r0, r2",
        "bne 2b",
        "/* The next row. */",
        f"ldr r0, [sp, #{_X}]",
        *added("r0", "r0", row_bytes),
        f"str r0, [sp, #{_X}]",
        f"ldr r1, [sp, #{_BLOCKS}]",
        f"ldr r3, [sp, #{_ROWS}]",
        "subs r3, r3, #1",
        "bne 1b",
        f"add sp, sp, #{_FRAME}",
        "pop {r4-r11, pc}",
    ]
    return "\n".join(lines)


def _word() -> list[str]:
    """Four inputs: 32 products."""
    more = "ldmia r1!, {r4, r5}"
    return [
        "ldr r2, [r0], #4",
        "ldr r4, [r1], #4",
        "ldr r5, [r1], #4",
        "sxtb16 r3, r2, ror #8",
        "sxtb16 r2, r2",
        *_products("r2", _SUMS[:4]),
        more,
        *_products("r2", _SUMS[4:]),
        more,
        *_products("r3", _SUMS[:4]),
        more,
        *_products("r3", _SUMS[4:]),
    ]


def _products(x: str, sums: tuple[str, ...]) -> list[str]:
    """Of a pair of inputs with the weights of four units in r4, r5."""
    even0, odd0, even1, odd1 = sums
    return [
        f"smlad {odd0}, {x}, r4, {odd0}",
        "sxtb16 r4, r4",
        f"smlad {odd1}, {x}, r5, {odd1}",
        "sxtb16 r5, r5",
        f"smlad {even0}, {x}, r4, {even0}",
        f"smlad {even1}, {x}, r5, {even1}",
    ]


def _outputs(short: ShortRequantization) -> list[str]:
    """The store of the first unit is the last: it moves the pointer."""
    lines = []
    for unit, register in enumerate(_SUMS):
        lines += requantized(short, unit, [register])
        lines += [f"strb {register}, [r0, #{unit}]"] if unit else []
    return [*lines, f"strb {_SUMS[0]}, [r0], #{WIDE_BLOCK}"]
