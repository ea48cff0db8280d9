"""The assembly of a row of sums or products: the reference's arithmetic, no proof and no table needed.

SRDHM(x, m), the reference's rounding product of x and m / 2**31, is SMMULR of 2 * x and m, and SMMLAR of
them adds k to it. The rounding division by 2**r behind it is a shift to the right of SRDHM + k, with
k = 2**(r - 1), less 1 for a negative x; the output's zero_point goes into k as well. Where the clamp cuts
off all below the zero_point, the sign does not matter.

mq_binary_s8_dsp_function_t: first operand r0, second r1, output r2. A second operand that is repeated
along the row is read once.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcu_quant.kernels.dsp.add_s8_dsp import clamp
from mcu_quant.kernels.dsp.straight_line import move_immediate

#: Elements of a turn of the loop.
QUAD = 4
#: Fractional bits of a sum's operands.
_SUM_BITS = 20


@dataclass(frozen=True)
class Scale:
    """From twice a sum or product to the output: multiplier / 2**31, then right bits, 0 to 22."""

    multiplier: int
    right: int
    zero_point: int
    low: int
    high: int

    @property
    def rounds_up(self) -> bool:
        """How negative numbers are rounded does not matter."""
        return self.right == 0 or self.low >= self.zero_point

    @property
    def addend(self) -> int:
        return ((1 << self.right) >> 1) + (self.zero_point << self.right)

    def lines(self, value: str, multiplier: str, addend: str, work: str) -> list[str]:
        """value, twice a sum or product, becomes an output and is stored."""
        signed = [] if self.rounds_up else [f"add {work}, {addend}, {value}, asr #31"]
        shift = f", asr #{self.right}" if self.right else ""
        return [
            *signed,
            f"smmlar {value}, {value}, {multiplier}, {addend if self.rounds_up else work}",
            f"ssat {value}, #8, {value}{shift}",
            *clamp(value, self.low, self.high),
            f"strb {value}, [r2], #1",
        ]


@dataclass(frozen=True)
class Term:
    """An operand of a sum. multiplier: 2**30 with right 0 (the larger scale's), or with right 1 to 30.

    subtracted: it counts negatively.
    """

    zero_point: int
    multiplier: int
    right: int
    subtracted: bool

    @property
    def is_half(self) -> bool:
        return self.right == 0


def sum_row(first: Term, second: Term | None, fixed: Term | None, scale: Scale, columns: int) -> list[str]:
    """first + second, or first + fixed, which is repeated. At most one of them is not half.

    r3 and r11 terms, r12 work, r4 to r7 the multiplier, rounding and zero_point of the term that is not
    half and what all sums begin with, r8 and r9 the scale, lr turns left.
    """
    terms = [term for term in (first, second, fixed) if term is not None]
    start = sum(term.zero_point * (1 if term.subtracted else -1) for term in terms if term.is_half)
    constants = {"r7": start << _SUM_BITS, "r8": scale.multiplier, "r9": scale.addend}
    for term in terms:
        if not term.is_half:
            constants |= {
                "r4": term.multiplier,
                "r5": 1 << (term.right - 1),
                "r6": term.zero_point << (_SUM_BITS + 1),
            }
    entry = [line for register, value in constants.items() for line in move_immediate(register, value)]
    if fixed is not None:
        entry += ["ldrsb r11, [r1]", *_term(fixed, "r11", "r7", "r7")]
    element = ["ldrsb r3, [r0], #1", *(["ldrsb r11, [r1], #1"] if second is not None else [])]
    element += _term(first, "r3", "r7", "r3")
    element += _term(second, "r11", "r3", "r3") if second is not None else []
    element += scale.lines("r3", "r8", "r9", "r12")
    return _framed(entry, element * QUAD, element, columns)


def _term(term: Term, value: str, total: str, result: str) -> list[str]:
    """result = total + twice the term of the int8 in `value`, which is lost."""
    operation = "sub" if term.subtracted else "add"
    if term.is_half:
        return [f"{operation} {result}, {total}, {value}, lsl #{_SUM_BITS}"]
    return [
        f"rsb {value}, r6, {value}, lsl #{_SUM_BITS + 1}",
        f"add r12, r5, {value}, asr #31",
        f"smmlar {value}, {value}, r4, r12",
        f"asr {value}, {value}, #{term.right}",
        f"{operation} {result}, {total}, {value}, lsl #1",
    ]


def product_row(zero_points: tuple[int, int], is_fixed: bool, scale: Scale, columns: int) -> list[str]:
    """first * second, each less its zero_point. is_fixed: the second is repeated.

    r3 and r4 -zero_point in both halves, or twice the fixed operand in r4; r5 and r6 the scale, r7 to r11
    operands and products, r12 work, lr turns left.
    """
    entry = move_immediate("r3", _both_halves(-zero_points[0]))
    if is_fixed:
        entry += ["ldrsb r4, [r1]", f"sub r4, r4, #{zero_points[1]}", "lsl r4, r4, #1"]
    else:
        entry += move_immediate("r4", _both_halves(-zero_points[1]))
    entry += [*move_immediate("r5", scale.multiplier), *move_immediate("r6", scale.addend)]
    quad = [*_products(is_fixed), *(line for p in _PRODUCTS for line in scale.lines(p, "r5", "r6", "r12"))]
    single = ["ldrsb r7, [r0], #1", "sadd16 r7, r7, r3"]
    if not is_fixed:
        single += ["ldrsb r4, [r1], #1", f"sub r4, r4, #{zero_points[1]}", "lsl r4, r4, #1"]
    single += ["smulbb r7, r7, r4", *scale.lines("r7", "r5", "r6", "r12")]
    return _framed(entry, quad, single, columns)


#: Where twice the products of a quad are, in its order.
_PRODUCTS = ("r11", "r10", "r9", "r7")


def _products(is_fixed: bool) -> list[str]:
    lines = ["ldr r7, [r0], #4", *([] if is_fixed else ["ldr r8, [r1], #4"])]
    lines += ["sxtab16 r9, r3, r7", "sxtab16 r7, r3, r7, ror #8"]
    if is_fixed:
        lines += ["smulbb r11, r9, r4", "smultb r9, r9, r4"]
        return [*lines, "smulbb r10, r7, r4", "smultb r7, r7, r4"]
    lines += ["sxtab16 r10, r4, r8", "sxtab16 r8, r4, r8, ror #8"]
    lines += ["sadd16 r9, r9, r9", "sadd16 r7, r7, r7"]
    return [
        *lines,
        "smulbb r11, r9, r10",
        "smultt r9, r9, r10",
        "smulbb r10, r7, r8",
        "smultt r7, r7, r8",
    ]


def _both_halves(value: int) -> int:
    return (value & 0xFFFF) * 0x10001


def _framed(entry: list[str], quad: list[str], single: list[str], columns: int) -> list[str]:
    quads, rest = divmod(columns, QUAD)
    loop = [*move_immediate("lr", quads), "1:", *quad, "subs lr, lr, #1", "bne 1b"] if quads else []
    return ["push {r3-r11, lr}", *entry, *loop, *single * rest, "pop {r3-r11, pc}"]
