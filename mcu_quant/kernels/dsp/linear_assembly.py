"""The inner loops of convolutions and fully connected layers, in Thumb-2 with the DSP extension.

One function takes a run of pixels through all output channels:

    void f(const void *x, const int32_t *blocks, int8_t *output, int32_t pixels, const void *params)

It takes two pixels at a time through a block of four channels (all 14 registers), then one that is
left. blocks: linear.packed_blocks. params is for the C twin.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcu_quant.kernels.dsp.linear_outputs import odd_sums, requantized_and_stored
from mcu_quant.kernels.dsp.requantization import ShortRequantization

#: Slots of the stack frame.
_OUT, _OUT_END, _X, _X_END, _PIXELS, _BLOCKS, _FRAME = range(0, 28, 4)
#: Largest offsets that a load or store can have.
LARGEST_OFFSET = 4095
#: Largest constants that are added to a pointer.
LARGEST_IMMEDIATE = (1 << 20) - 1


@dataclass(frozen=True)
class Shape:
    """What the functions are rendered for.

    pairs: of inputs, for each output. pixel_bytes: from a pixel's first input to the next one's.
    output_bytes: the same for outputs; a multiple of 4. is_expanded: x is int16 in pairs, else int8,
    read four at a time (pairs is even then). by_two: two pixels at a time. straight_pairs: at most so many
    steps are written one after another.
    """

    pairs: int
    pixel_bytes: int
    output_bytes: int
    is_expanded: bool
    by_two: bool
    may_be_odd: bool
    straight_pairs: int = 16

    @property
    def pair_bytes(self) -> int:
        return 4 if self.is_expanded else 2


#: Most steps of a turn; a loop has two turns at least.
_MOST_STRAIGHT = 32
#: Double steps of a turn for the one pixel that pairs leave.
_LEFT_STRAIGHT = 8
#: Of two pixels: instructions of a loop's turn, bytes of a step.
_TURN, _STEP_BYTES = 3, 56


def best_straight_pairs(pairs: int, blocks: float, byte_worth: float) -> int:
    """How many steps are best written one after another.

    blocks: how many are gone through, for two pixels each. byte_worth: instructions that may be spent to
    save a byte of code.
    """

    def cost(straight: int) -> float:
        straight, turns = turns_of(pairs, straight)
        steps = straight + pairs - straight * turns
        return blocks * (_TURN * turns if turns > 1 else 0) + byte_worth * _STEP_BYTES * steps

    return min(range(1, min(pairs, _MOST_STRAIGHT) + 1), key=cost)


def two_pixels_fit(pairs: int, pixel_bytes: int, output_bytes: int) -> bool:
    """The second pixel is within reach of the first one's pointers."""
    reach = pixel_bytes + 4 * min(pairs, 2 * _MOST_STRAIGHT)
    return reach <= LARGEST_OFFSET and output_bytes + 4 <= LARGEST_OFFSET


def sweep_body(shape: Shape, short: ShortRequantization) -> str:
    lines = [
        "push {r4-r11, lr}",
        f"sub sp, sp, #{_FRAME}",
        f"str r0, [sp, #{_X}]",
        f"str r1, [sp, #{_BLOCKS}]",
        f"str r2, [sp, #{_OUT}]",
    ]
    lines += _two_pixels(shape, short) if shape.by_two else []
    lines += _one_pixel(shape, short) if shape.may_be_odd else []
    lines += ["9:", f"add sp, sp, #{_FRAME}", "pop {r4-r11, pc}"]
    return "\n".join(lines)


def _two_pixels(shape: Shape, short: ShortRequantization) -> list[str]:
    """Labels 1 (pixels), 2 (blocks), 3 (inputs), 4 (end)."""
    step = shape.pixel_bytes * 2
    straight, turns = turns_of(shape.pairs, shape.straight_pairs)
    return [
        "/* Two pixels: r0 inputs, r1 block, r2 r3 input pairs, r4 r5 weights; sums r6-r9, r10-r12 lr. */",
        "1:",
        "subs r3, r3, #2",
        "blt 4f",
        f"str r3, [sp, #{_PIXELS}]",
        f"ldr r2, [sp, #{_OUT}]",
        *added("r2", "r2", shape.output_bytes),
        f"str r2, [sp, #{_OUT_END}]",
        *(
            [f"ldr r0, [sp, #{_X}]", *added("r2", "r0", straight * turns * 4), f"str r2, [sp, #{_X_END}]"]
            if turns > 1
            else []
        ),
        "2:",
        "ldmia r1, {r6-r9}",
        "ldmia r1!, {r10-r12, lr}",
        f"ldr r0, [sp, #{_X}]",
        *_pair_steps(shape, straight, turns),
        *odd_sums(FIRST_SUMS),
        *odd_sums(SECOND_SUMS),
        f"ldr r0, [sp, #{_OUT}]",
        *requantized_and_stored(short, shape.output_bytes, (FIRST_SUMS, SECOND_SUMS), "r0"),
        f"str r0, [sp, #{_OUT}]",
        f"ldr r2, [sp, #{_OUT_END}]",
        "cmp r0, r2",
        "bne 2b",
        "/* The next two pixels. */",
        *added("r0", "r0", shape.output_bytes),
        f"str r0, [sp, #{_OUT}]",
        f"ldr r0, [sp, #{_X}]",
        *added("r0", "r0", step),
        f"str r0, [sp, #{_X}]",
        f"ldr r1, [sp, #{_BLOCKS}]",
        f"ldr r3, [sp, #{_PIXELS}]",
        "b 1b",
        "4:",
        *(["adds r3, r3, #2", "beq 9f"] if shape.may_be_odd else []),
    ]


FIRST_SUMS, SECOND_SUMS = ("r6", "r7", "r8", "r9"), ("r10", "r11", "r12", "lr")


def _pair_steps(shape: Shape, straight: int, turns: int) -> list[str]:
    """All pairs of inputs of two pixels: turns of a loop of `straight` pairs, then what is left."""
    lines = []
    if turns > 1:
        lines += ["3:"]
        for _ in range(straight):
            lines += ["ldr r2, [r0], #4", f"ldr r3, [r0, #{shape.pixel_bytes - 4}]", *_pair_of_two()]
        lines += [f"ldr r2, [sp, #{_X_END}]", "cmp r0, r2", "bne 3b"]
        rest = shape.pairs - straight * turns
    else:
        rest = shape.pairs
    for i in range(rest):
        lines += [f"ldr r2, [r0, #{4 * i}]", f"ldr r3, [r0, #{4 * i + shape.pixel_bytes}]", *_pair_of_two()]
    return lines


def _pair_of_two() -> list[str]:
    """Sixteen products: the sums with whole weights first, then those with the even channels' bytes."""
    (e0, o0, e1, o1), (e2, o2, e3, o3) = FIRST_SUMS, SECOND_SUMS
    return [
        "ldr r4, [r1], #4",
        "ldr r5, [r1], #4",
        f"smlad {o0}, r2, r4, {o0}",
        f"smlad {o2}, r3, r4, {o2}",
        "sxtb16 r4, r4",
        f"smlad {o1}, r2, r5, {o1}",
        f"smlad {o3}, r3, r5, {o3}",
        "sxtb16 r5, r5",
        f"smlad {e0}, r2, r4, {e0}",
        f"smlad {e2}, r3, r4, {e2}",
        f"smlad {e1}, r2, r5, {e1}",
        f"smlad {e3}, r3, r5, {e3}",
    ]


def _one_pixel(shape: Shape, short: ShortRequantization) -> list[str]:
    """Labels 5 (pixels), 6 (blocks), 7 (inputs)."""
    straight, turns = left_turns(shape)
    rest = shape.pairs // 2 - straight * turns
    loop = ["7:"] if turns > 1 else []
    loop += double_step(shape) * straight
    loop += ["cmp r0, r12", "bne 7b"] if turns > 1 else []
    many = not shape.by_two
    return [
        "/* One pixel: r0 inputs, r1 block, r2-r5 weights, r6 r7 input pairs; sums r8-r11, lr output. */",
        f"ldr lr, [sp, #{_OUT}]",
        *(["5:", f"str r3, [sp, #{_PIXELS}]"] if many else []),
        *added("r12", "lr", shape.output_bytes),
        f"str r12, [sp, #{_OUT_END}]",
        "6:",
        "ldmia r1!, {r8-r11}",
        f"ldr r0, [sp, #{_X}]",
        *(added("r12", "r0", straight * turns * 2 * shape.pair_bytes) if turns > 1 else []),
        *loop,
        *double_step(shape) * rest,
        *(_single_step() if shape.pairs % 2 else []),
        *odd_sums(ONE_SUMS),
        *requantized_and_stored(short, 0, (ONE_SUMS,), "lr"),
        f"ldr r2, [sp, #{_OUT_END}]",
        "cmp lr, r2",
        "bne 6b",
        *(_next_pixel(shape) if many else []),
    ]


ONE_SUMS = ("r8", "r9", "r10", "r11")


def _next_pixel(shape: Shape) -> list[str]:
    return [
        f"ldr r0, [sp, #{_X}]",
        *added("r0", "r0", shape.pixel_bytes),
        f"str r0, [sp, #{_X}]",
        f"ldr r1, [sp, #{_BLOCKS}]",
        f"ldr r3, [sp, #{_PIXELS}]",
        "subs r3, r3, #1",
        "bne 5b",
    ]


def double_step(shape: Shape) -> list[str]:
    """Two pairs of inputs of one pixel: sixteen products."""
    if not shape.is_expanded:
        load = ["ldr r7, [r0], #4", "sxtb16 r6, r7", "sxtb16 r7, r7, ror #8"]
    elif shape.pixel_bytes % 4 == 0:
        load = ["ldrd r6, r7, [r0], #8"]
    else:
        load = ["ldr r6, [r0], #4", "ldr r7, [r0], #4"]
    return ["ldmia r1!, {r2-r5}", *load, *_products("r6", "r2", "r3"), *_products("r7", "r4", "r5")]


def _single_step() -> list[str]:
    return ["ldmia r1!, {r2, r3}", "ldr r6, [r0], #4", *_products("r6", "r2", "r3")]


def _products(x: str, w01: str, w23: str) -> list[str]:
    even0, odd0, even1, odd1 = ONE_SUMS
    return [
        f"smlad {odd0}, {x}, {w01}, {odd0}",
        f"smlad {odd1}, {x}, {w23}, {odd1}",
        f"sxtb16 {w01}, {w01}",
        f"sxtb16 {w23}, {w23}",
        f"smlad {even0}, {x}, {w01}, {even0}",
        f"smlad {even1}, {x}, {w23}, {even1}",
    ]


def left_turns(shape: Shape) -> tuple[int, int]:
    """turns_of, of the double steps where pixels go one at a time."""
    most = shape.straight_pairs // 3
    return turns_of(shape.pairs // 2, max(min(most, _LEFT_STRAIGHT) if shape.by_two else most, 1))


def turns_of(steps: int, straight: int) -> tuple[int, int]:
    """(steps of a turn, turns); what they leave comes after the loop. One turn: no loop, all are in it."""
    turns = steps // straight
    return (straight, turns) if turns > 1 else (steps, 1)


def added(to: str, of: str, value: int) -> list[str]:
    """to = of + value, below 2**20."""
    high, low = value & ~0xFFF, value & 0xFFF
    lines = [f"add {to}, {of}, #{high}"] if high else []
    return lines + ([f"addw {to}, {to if high else of}, #{low}"] if low or not high else [])
