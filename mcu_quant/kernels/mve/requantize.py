"""Exact requantization on Helium: what the kernels of the family share.

Four 32-bit lanes hold accumulators. SRDHM is `vqrdmulh`; the rounding division by 2**r is `vrshl`,
which rounds halves up where the reference rounds them away from zero. For r >= 1 the two agree if
negative numbers are first lowered by one: t = acc >> 31, then `vqrdmlah t, acc, multiplier` gives
t + SRDHM(acc). Where the clamp cuts off everything below the zero_point that makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, IntArray, wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.linear import channel_multipliers

GUARD = "defined(__ARM_FEATURE_MVE)"


@dataclass(frozen=True)
class Output:
    """Where outputs end up. low, high: the clamp."""

    zero_point: int
    low: int
    high: int

    @property
    def rounds_up(self) -> bool:
        """How negative numbers are rounded does not matter."""
        return self.low >= self.zero_point

    @property
    def unsigned(self) -> bool:
        """Saturation to uint8, then -128, is the clamp's lower half."""
        return self.zero_point == INT8_MIN


def output_of(node: BoundNode) -> Output:
    return Output(node.output.zero_point, *activation_range(node.attrs.activation, node.output))


def requantization_refusal(node: BoundNode) -> str | None:
    """Why the channels cannot be requantized so, or None."""
    _, shift = channel_multipliers(node)
    limit = 0 if output_of(node).rounds_up else -1
    if shift.max() > limit:
        return f"the multipliers' shifts must be at most {limit}"
    return None


def folded_bias(node: BoundNode, weights: np.ndarray) -> IntArray:
    """bias - zero_point(input) * sum(weights), int32 [channels]. weights: [channels, taps]."""
    bias = node.optional_input(2)
    sums = -node.input(0).zero_point * weights.astype(np.int64).sum(axis=1)
    if bias is not None and bias.data is not None:
        sums = sums + bias.data.astype(np.int64)
    return wrap_int32(sums)


def scale(lanes: str, spare: str, multiplier: str, shift: str, output: Output) -> tuple[list[str], str]:
    """(instructions, register): scaled accumulators, in `lanes` or in `spare`."""
    if output.rounds_up:
        return [f"vqrdmulh.s32 {lanes}, {lanes}, {multiplier}", f"vrshl.s32 {lanes}, {shift}"], lanes
    return [
        f"vshr.s32 {spare}, {lanes}, #31",
        f"vqrdmlah.s32 {spare}, {lanes}, {multiplier}",
        f"vrshl.s32 {spare}, {shift}",
    ], spare


def narrow(target: str, lanes: str, half: str, output: Output) -> str:
    """Saturate 32-bit lanes into the bottom or top (half: "b", "t") 16-bit lanes of target."""
    return f"vqmov{'u' if output.unsigned else ''}n{half}.s32 {target}, {lanes}"


def to_bytes(lanes: str, output: Output, scalar: str, tops: str | None = None, spare: str = "") -> list[str]:
    """Saturated 16-bit lanes to clamped int8 in their low bytes; those of `tops` go to the high bytes.

    scalar: a core register that is free. spare: a vector register that is free, if the clamp is narrow.
    """
    code = moved(lanes, output, scalar, tops)
    return [f"mov {scalar}, #{addend(output)}", *code, *clamp(lanes, output, scalar, tops or spare)]


def addend(output: Output) -> int:
    """What `moved` wants in its core register."""
    return 128 if output.unsigned else output.zero_point


def moved(lanes: str, output: Output, scalar: str, tops: str | None = None) -> list[str]:
    """As to_bytes, without the clamp. scalar: the core register that holds addend(output)."""
    if output.unsigned:
        code = [f"vqmovnb.u16 {lanes}, {lanes}"]
        code += [f"vqmovnt.u16 {lanes}, {tops}"] if tops else []
        return [*code, f"vadd.i8 {lanes}, {lanes}, {scalar}"]
    code = [f"vqadd.s16 {q}, {q}, {scalar}" for q in (lanes, tops) if q]
    code += [f"vqmovnb.s16 {lanes}, {lanes}"]
    return code + ([f"vqmovnt.s16 {lanes}, {tops}"] if tops else [])


def clamp(lanes: str, output: Output, scalar: str, spare: str) -> list[str]:
    """The clamp of int8 lanes as far as it is narrower than int8."""
    code = []
    for bound, least, operation in ((output.low, INT8_MIN, "vmax"), (output.high, INT8_MAX, "vmin")):
        if bound != least:
            code += [f"mov {scalar}, #{bound}", f"vdup.8 {spare}, {scalar}"]
            code += [f"{operation}.s8 {lanes}, {lanes}, {spare}"]
    return code


def words(*values: IntArray) -> np.ndarray:
    """int32 values as they lie in a stream of int8."""
    return np.concatenate([np.atleast_1d(value) for value in values]).astype("<i4").view(np.int8)
