"""The inner loops of winograd_dsp_s8 in Thumb-2: products, and outputs of two tiles."""

from __future__ import annotations

from mcu_quant.kernels.dsp.linear_assembly import LARGEST_OFFSET, added
from mcu_quant.kernels.dsp.linear_outputs import limited
from mcu_quant.kernels.dsp.requantization import ShortRequantization

#: Positions of a transformed tile.
POSITIONS = 16
#: Half the positions, and two tiles' output channels, are within reach of one pointer.
MOST_CHANNELS = 128
MOST_OUTPUTS = LARGEST_OFFSET // 4


def position_bytes(channels: int) -> int:
    """Two tiles' inputs as int16, and two times four sums."""
    return 4 * channels + 32


_SUMS = ("r6", "r7", "r8", "r9", "r10", "r11", "r12", "lr")


def products_body(channels: int) -> str:
    """void f(int8_t *tiles, const int32_t *weights, params): all positions of two tiles and a block."""
    lines = [
        "/* r0 position, r1 weights, r2 r3 input pairs of the tiles, r4 r5 weights; sums r6-r12 lr. */",
        "push {r4-r11, lr}",
        "sub sp, sp, #4",
        *added("r2", "r0", POSITIONS * position_bytes(channels)),
        "str r2, [sp]",
        "1:",
    ]
    for pair in range(channels // 2):
        lines += _pair(pair, channels)
    lines += [f"str {register}, [r0, #{4 * channels + 4 * i}]" for i, register in enumerate(_SUMS)]
    lines += [
        f"addw r0, r0, #{position_bytes(channels)}",
        "ldr r2, [sp]",
        "cmp r0, r2",
        "bne 1b",
        "add sp, sp, #4",
        "pop {r4-r11, pc}",
    ]
    return "\n".join(lines)


def _pair(pair: int, channels: int) -> list[str]:
    """Sixteen products; the first pair's start the sums."""

    def product(tile: int, output: int, weights: str) -> str:
        total, x = _SUMS[4 * tile + output], ("r2", "r3")[tile]
        return f"smlad {total}, {x}, {weights}, {total}" if pair else f"smuad {total}, {x}, {weights}"

    return [
        f"ldr r2, [r0, #{4 * pair}]",
        f"ldr r3, [r0, #{4 * pair + 2 * channels}]",
        "ldr r4, [r1], #4",
        "ldr r5, [r1], #4",
        *(product(tile, output, w) for output, w in ((0, "r4"), (1, "r5")) for tile in (0, 1)),
        "ldmia r1!, {r4, r5}",
        *(product(tile, output, w) for output, w in ((2, "r4"), (3, "r5")) for tile in (0, 1)),
    ]


#: Columns 0..3 of the sums over rows (u), and of their differences (v). Columns 0, 1 become outputs.
_U, _V = ("r4", "r5", "r8", "r9"), ("r6", "r7", "r10", "r11")


def outputs_body(channels: int, outputs: int, row_bytes: int, short: ShortRequantization) -> str:
    """void f(const int8_t *sums, const int32_t *constants, int8_t *output, params): whole tiles, a block."""
    step = position_bytes(channels)
    lines = [
        "/* r0 sums of positions 0 to 7, lr of 8 to 15, r1 constants, r2 r3 rows of outputs. */",
        "push {r4-r11, lr}",
        "sub sp, sp, #4",
        "add r12, r0, #16",
        "str r12, [sp]",
        *added("r3", "r2", row_bytes),
        "1:",
        *added("lr", "r0", 8 * step),
    ]
    for tile in (0, 1):
        for column in range(4):
            lines += _column(column, 16 * tile, step)
        lines += _differences()
        lines += ["ldr r8, [r1, #4]", "ldr r9, [r1, #8]"]
        lines += ["ldr r10, [r1, #12]"] if short.has_steps else []
        for register, row, column in (("r4", "r2", 0), ("r5", "r2", 1), ("r6", "r3", 0), ("r7", "r3", 1)):
            lines += _requantized(short, register)
            lines += [f"strb {register}, [{row}, #{(2 * tile + column) * outputs}]"]
    lines += [
        "/* The next channel. */",
        "adds r0, r0, #4",
        "adds r1, r1, #16",
        "adds r2, r2, #1",
        "adds r3, r3, #1",
        "ldr r12, [sp]",
        "cmp r0, r12",
        "bne 1b",
        "add sp, sp, #4",
        "pop {r4-r11, pc}",
    ]
    return "\n".join(lines)


def _column(column: int, offset: int, step: int) -> list[str]:
    """u = m0 + m1 + m2, v = m1 - m2 - m3, of one column; the start joins the sum that all outputs have."""
    u, v = _U[column], _V[column]
    near = [offset + (4 * row + column) * step for row in (0, 1)]
    return [
        f"ldr {u}, [r0, #{near[0]}]",
        f"ldr {v}, [r0, #{near[1]}]",
        *(["ldr r12, [r1]", f"add {v}, {v}, r12"] if column == 1 else []),
        f"ldr r12, [lr, #{near[0]}]",
        f"add {u}, {u}, {v}",
        f"add {u}, {u}, r12",
        f"sub {v}, {v}, r12",
        f"ldr r12, [lr, #{near[1]}]",
        f"sub {v}, {v}, r12",
    ]


def _differences() -> list[str]:
    """Of the columns in turn: the first output is 0 + 1 + 2, the second 1 - 2 - 3."""
    lines = []
    for a, b, c, d in (_U, _V):
        lines += [f"add {a}, {a}, {b}", f"add {a}, {a}, {c}", f"sub {b}, {b}, {c}", f"sub {b}, {b}, {d}"]
    return lines


def _requantized(short: ShortRequantization, y: str) -> list[str]:
    """r8 multiplier, r9 addend, r10 step; y is four times the accumulator."""
    lines = [f"lsl {y}, {y}, #{short.scale_bits - 2}"]
    lines += [f"and r11, r10, {y}, asr #31"] if short.has_steps else []
    lines += [f"smmla {y}, {y}, r8, r9"]
    lines += [f"sub {y}, {y}, r11"] if short.has_steps else []
    return [*lines, f"ssat {y}, #8, {y}, asr #{short.shift}", *limited(short, y)]
