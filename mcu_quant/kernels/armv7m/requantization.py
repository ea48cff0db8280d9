"""Requantization on Cortex-M3: one SMLAL that starts from all that is known before the sum is.

An accumulator is sum + fold, with a fold for each channel. A multiplication gives
    (sum << e) * multiplier + (fold * multiplier + rounding) << e
and its high word is all that is looked at further. Two exact forms of TFLM's double rounding:

floor: lsl, smlal, ssat. Where the activation's minimum is not below zero_point, negative results do
not survive, and for the others both roundings are one floor of (acc * multiplier + 2**30 + 2**(30 +
right)) / 2**(31 + right). e = 1 + shift - right moves the binary point to where it is in all channels.

away: lsl, smlal, add, asr, add, ssat. e is 1; the high word is the first rounding's result, which
moves down by one if negative so that the second one rounds halves away from zero.

A channel whose output is the same at both ends of the accumulator's range is that constant: the
multiplier is 0 then. C twin: mq_armv7m_requantize in templates/kernels/armv7m/mq_armv7m_requantize.h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, INT32_MAX, IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.linear import accumulator_range, channel_multipliers

#: The words of one channel: multiplier, low and high word of the start, shift.
WORDS = 4
#: The floor form takes its shift from few values, so that layers share functions; else the least.
_SHIFTS = (12, 8, 16, 4)


@dataclass(frozen=True, eq=False)
class Requantization:
    """constants: int32 [channels, WORDS]. shift: of the floor form; the away form has it by channel."""

    rounds_away: bool
    shift: int
    zero_point: int
    low: int
    high: int
    constants: np.ndarray

    def params(self) -> dict[str, int]:
        """The fields of mq_armv7m_rounding_t."""
        return {
            "rounds_away": int(self.rounds_away),
            "shift": self.shift,
            "output_zero_point": self.zero_point,
            "activation_min": self.low,
            "activation_max": self.high,
        }

    def emit(self, sum_register: str, words: tuple[str, str, str, str]) -> list[str]:
        """Instructions that turn a register's sum into its int8. The second and third word are lost."""
        multiplier, start, high, shift = words
        lines = [
            f"lsl {sum_register}, {sum_register}, {'#1' if self.rounds_away else shift}",
            f"smlal {start}, {high}, {sum_register}, {multiplier}",
        ]
        last = self.shift
        if self.rounds_away:
            last = 1
            lines += [
                f"add {high}, {high}, {high}, asr #31",
                f"asr {high}, {high}, {shift}",
                f"add {high}, {high}, #{2 * self.zero_point + 1}",
            ]
        lines.append(f"ssat {sum_register}, #8, {high}, asr #{last}")
        return lines + clamp_lines(sum_register, self.low, self.high)


def clamp_lines(register: str, low: int, high: int) -> list[str]:
    """Instructions that clamp an int8 in a register, none where the limits are int8's."""
    lines = []
    if low > INT8_MIN:
        lines += [f"cmp {register}, #{low}", "it lt", f"movlt {register}, #{low}"]
    if high < INT8_MAX:
        lines += [f"cmp {register}, #{high}", "it gt", f"movgt {register}, #{high}"]
    return lines


@dataclass(frozen=True, eq=False)
class _Channels:
    """All int64 [channels]. first, last: outputs, unclamped, at the ends of the accumulator's range."""

    multiplier: IntArray
    right: IntArray
    fold: IntArray
    sum_bound: IntArray
    accumulator: IntArray
    first: IntArray
    last: IntArray
    varies: np.ndarray


def plan_requantization(node: BoundNode, fold: IntArray, sum_bound: IntArray) -> Requantization | None:
    """None if no exact form fits. fold: accumulator - sum; sum_bound: the largest |sum|, per channel."""
    channels = _channels(node, fold, sum_bound)
    zero_point = node.output.zero_point
    low, high = activation_range(node.attrs.activation, node.output)
    live = channels.varies
    if (channels.right[live] < 0).any() or channels.sum_bound.max(initial=0) > INT32_MAX // 2:
        return None
    shift = _floor_shift(channels) if low >= zero_point else None
    if shift is not None:
        constants = _floor_constants(channels, shift, zero_point, (low, high))
        return Requantization(False, shift, zero_point, low, high, constants)
    if (channels.right[live] < 1).any() or channels.accumulator.max(initial=0) >= 2**30:
        return None
    constants = _away_constants(channels, zero_point, (low, high))
    return Requantization(True, 0, zero_point, low, high, constants)


def _channels(node: BoundNode, fold: IntArray, sum_bound: IntArray) -> _Channels:
    multiplier, shift = channel_multipliers(node)
    range_low, range_high = accumulator_range(node)
    first, last = (
        requantize(acc, multiplier, shift) + node.output.zero_point for acc in (range_low, range_high)
    )
    low, high = activation_range(node.attrs.activation, node.output)
    accumulator = np.maximum(np.abs(range_low), np.abs(range_high))
    # The ends tell of what lies between only if no accumulator wraps as it is shifted left.
    wraps = (accumulator << np.maximum(shift, 0) > INT32_MAX) & (multiplier != 0)
    varies = wraps | (np.clip(first, low, high) != np.clip(last, low, high))
    return _Channels(multiplier, -shift, fold, sum_bound, accumulator, first, last, varies)


def _floor_shift(channels: _Channels) -> int | None:
    """A shift at which neither sum << e nor the high word overflows in any channel."""
    right = channels.right[channels.varies]
    least = max(int(right.max(initial=0)) - 1, 1)
    outputs = np.maximum(np.abs(channels.first), np.abs(channels.last))[channels.varies] + 2
    for shift in (*(shift for shift in _SHIFTS if shift >= least), least):
        lefts = 1 + shift - right
        sums = channels.sum_bound[channels.varies]
        if shift <= 22 and all(
            int(bound) << int(left) <= INT32_MAX and int(output) << shift <= INT32_MAX
            for bound, left, output in zip(sums, lefts, outputs, strict=True)
        ):
            return shift
    return None


def _floor_constants(channels: _Channels, shift: int, zero_point: int, clamp: tuple[int, int]) -> np.ndarray:
    rows = []
    for index, varies in enumerate(channels.varies):
        if not varies:
            value = min(max(int(channels.first[index]), clamp[0]), clamp[1])
            rows.append(_words(0, value << (32 + shift), 0))
            continue
        multiplier, right = int(channels.multiplier[index]), int(channels.right[index])
        rounding = (1 << 30) + ((1 << (30 + right)) if right else 0)
        start = int(channels.fold[index]) * multiplier + rounding + (zero_point << (31 + right))
        left = 1 + shift - right
        rows.append(_words(multiplier, start << left, left))
    return np.array(rows, np.uint32).view(np.int32)


def _away_constants(channels: _Channels, zero_point: int, clamp: tuple[int, int]) -> np.ndarray:
    rows = []
    for index, varies in enumerate(channels.varies):
        if not varies:
            value = min(max(int(channels.first[index]), clamp[0]), clamp[1])
            rows.append(_words(0, (value - zero_point) << 33, 0))
            continue
        multiplier, right = int(channels.multiplier[index]), int(channels.right[index])
        start = int(channels.fold[index]) * multiplier + (1 << 30)
        rows.append(_words(multiplier, start << 1, right - 1))
    return np.array(rows, np.uint32).view(np.int32)


def _words(multiplier: int, start: int, shift: int) -> tuple[int, int, int, int]:
    return multiplier, start & 0xFFFFFFFF, (start >> 32) & 0xFFFFFFFF, shift
