"""The end of a block: outputs from its sums (requantization.py has the arithmetic), in Thumb-2.

r2 to r5 are free for constants, which are read from r1 on.
"""

from __future__ import annotations

from collections.abc import Sequence

from mcu_quant.kernels.dsp.requantization import ShortRequantization


def odd_sums(sums: Sequence[str]) -> list[str]:
    """What the even channels' sums leave of both."""
    return [f"sub {sums[i + 1]}, {sums[i + 1]}, {sums[i]}" for i in range(0, len(sums), 2)]


def requantized_and_stored(
    short: ShortRequantization,
    output_bytes: int,
    pixels: tuple[tuple[str, ...], ...],
    out: str,
    shift: str | None = None,
) -> list[str]:
    """Outputs of a block from the sums of one or two pixels; moves `out` on by the block.

    r2-r5 are free for constants. The store to the first channel is the last: it moves the pointer.
    """
    lines = ["/* Requantize and store. */"]
    for channel in range(4):
        lines += requantized(short, channel, [sums[channel] for sums in pixels], shift)
        for index, sums in enumerate(pixels):
            if index or channel:
                lines += [f"strb {sums[channel]}, [{out}, #{index * output_bytes + channel}]"]
    return [*lines, f"strb {pixels[0][0]}, [{out}], #4"]


def requantized(
    short: ShortRequantization, channel: int, sums: Sequence[str], shift: str | None = None
) -> list[str]:
    """The outputs of one channel of a block in place of its sums; r2-r5 hold constants.

    shift: the register that has the layer's shift, if it is not part of the code.
    """
    multiplier, addend = "r2", "r3"
    lines = []
    if short.has_steps:
        lines += ["ldmia r1!, {r2, r3, r4}"]
    elif channel % 2 == 0:
        lines += ["ldmia r1!, {r2-r5}"]
    else:
        multiplier, addend = "r4", "r5"
    for register in sums:
        lines += _scaled(short, register, channel % 2 == 0, multiplier, addend)
        if shift is None:
            lines += [f"ssat {register}, #8, {register}, asr #{short.shift}"]
        else:
            lines += [f"asr {register}, {register}, {shift}", f"ssat {register}, #8, {register}"]
        lines += limited(short, register)
    return lines


def _scaled(short: ShortRequantization, a: str, is_even: bool, multiplier: str, addend: str) -> list[str]:
    """The output times 2**shift."""
    lines = [f"lsl {a}, {a}, #{short.scale_bits}"] if is_even else []
    lines += [f"and r5, r4, {a}, asr #31"] if short.has_steps else []
    lines += [f"smmla {a}, {a}, {multiplier}, {addend}"]
    return lines + ([f"sub {a}, {a}, r5"] if short.has_steps else [])


def limited(short: ShortRequantization, register: str) -> list[str]:
    """What saturation to int8 leaves to be clamped."""
    lines = []
    if short.low is not None:
        lines += [f"cmp {register}, #{short.low}", "it lt", f"movlt {register}, #{short.low}"]
    if short.high is not None:
        lines += [f"cmp {register}, #{short.high}", "it gt", f"movgt {register}, #{short.high}"]
    return lines
