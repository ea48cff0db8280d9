"""What one output of a depthwise convolution is: its products, its requantization, as straight-line code.

Two neighbouring pixels are a word; SMLAD adds their products with two weights. Word t of a filter's
row is (weight t, weight t + 1), for whichever tap a pair of pixels begins with. Values: ("x", row, pair of
pixels), ("w", row, word), ("y", output), and the names of Requantization.constants.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from mcu_quant.kernels.dsp.depthwise_geometry import Geometry
from mcu_quant.kernels.dsp.straight_line import Instruction

INPUT, OUTPUT = "r0", "r1"


@dataclass(frozen=True)
class Requantization:
    """How a scaled accumulator becomes int8 (depthwise_table.py).

    shift: one for all channels, or None: each has its own, in a register. has_steps: negative
    accumulators lose their channel's step. rounds_sign: they lose 1, and products are rounded.
    low, high: the clamp.
    """

    shift: int | None
    has_steps: bool
    rounds_sign: bool
    low: int
    high: int

    @property
    def constants(self) -> tuple[str, ...]:
        """What a channel's table begins with, one word each."""
        own = () if self.shift is not None else ("shift",)
        return ("bias", "addend", "multiplier", *own, *(("step",) if self.has_steps else ()))


def filter_words(taps: int) -> int:
    return max(taps - 1, 1)


def products(geometry: Geometry, outputs: range) -> list[Instruction]:
    """All products of those outputs of a line, which start at the bias."""
    taps, stride = geometry.across.filter_size, geometry.across.stride
    first = outputs[0] * stride // 2
    last = (outputs[-1] * stride + taps - 1) // 2
    code: list[Instruction] = []
    begun: set[int] = set()
    for pair in range(first, last + 1):
        for row in range(geometry.filter_rows):
            for output in outputs:
                tap = 2 * pair - output * stride
                if not -1 <= tap < taps:
                    continue
                name, word = _product(tap, taps)
                if name == "smlad" and not geometry.has_weights(word):
                    continue
                addend = ("y", output) if output in begun else "bias"
                begun.add(output)
                sources: tuple[Hashable, ...] = (("x", row, pair), ("w", row, word), addend)
                code.append(Instruction(f"{name} {{d}}, {{0}}, {{1}}, {{2}}", sources, ("y", output)))
    return code


def _product(tap: int, taps: int) -> tuple[str, int]:
    """(instruction, weight word) for a pair of pixels that begins with that tap of the filter."""
    if tap == -1:
        return "smlatb", 0
    if tap == taps - 1:
        return "smlabt", filter_words(taps) - 1
    return "smlad", tap


def results(how: Requantization, outputs: range, step: int, position: int) -> list[Instruction]:
    """Requantize and store those outputs. position: of outputs[0], in bytes from OUTPUT."""
    code = []
    for y in (("y", output) for output in outputs):
        if how.has_steps:
            code.append(Instruction("and {d}, {0}, {1}, asr #31", ("step", y), ("t", *y)))
            code.append(Instruction("smmla {d}, {0}, {1}, {2}", (y, "multiplier", "addend"), y))
            code.append(Instruction("sub {d}, {0}, {1}", (y, ("t", *y)), y))
        elif how.rounds_sign:
            code.append(Instruction("add {d}, {0}, {1}, asr #31", ("addend", y), ("t", *y)))
            code.append(Instruction("smmlar {d}, {0}, {1}, {2}", (y, "multiplier", ("t", *y)), y))
        else:
            code.append(Instruction("smmla {d}, {0}, {1}, {2}", (y, "multiplier", "addend"), y))
    for index, y in enumerate(("y", output) for output in outputs):
        if how.shift is None:
            code.append(Instruction("asr {d}, {0}, {1}", (y, "shift"), y))
            code.append(Instruction("ssat {d}, #8, {0}", (y,), y))
        else:
            code.append(Instruction(f"ssat {{d}}, #8, {{0}}, asr #{how.shift}", (y,), y))
        if how.low > -128:
            code.append(Instruction(f"cmp {{0}}, #{how.low}\nit lt\nmovlt {{d}}, #{how.low}", (y,), y))
        if how.high < 127:
            code.append(Instruction(f"cmp {{0}}, #{how.high}\nit gt\nmovgt {{d}}, #{how.high}", (y,), y))
        code.append(Instruction(f"strb {{0}}, [{OUTPUT}, #{position + index * step}]", (y,)))
    return code
