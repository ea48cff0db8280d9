"""Requantization in two instructions: constants found for each channel, and proved over its true range.

    y = saturate8((mulhi(a, multiplier) + offset) >> shift)     SMMLA; SSAT #8, ASR #shift
    a = (acc - center) << scale_bits                            mulhi: the upper half of a 64-bit product

and, where negative accumulators round otherwise, `- step` if a < 0 (AND step, a, ASR #31; SUB).

Both sides are steps that rise with acc, so they are equal if they rise at the same accumulators: at
most 255 thresholds for each channel. For a given multiplier every threshold bounds the offset from
one side; an offset within all bounds is proved. A channel that gives one value whatever the input has
no threshold: its weights and accumulator can be 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, INT32_MAX, IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.linear import accumulator_range, channel_multipliers

#: With a larger shift, zero_point << shift would leave too little of 32 bits.
_LARGEST_SHIFT = 22
#: By how much a multiplier may be off the nearest one, in its last place.
_MULTIPLIER_TRIALS = sorted(range(-24, 25), key=abs)
_UNBOUNDED = 1 << 40


@dataclass(frozen=True, eq=False)
class ShortRequantization:
    """What the instructions take; see the module. Arrays: int64 [channels], of int32 values.

    center: what the kernel takes from its bias. is_constant: channels of one value, whose weights and
    accumulator are to be 0 (as far as the kernel wants). step: all 0 if no sign fix is needed at all.
    low, high: int8 limits still to be applied after the saturation, None where saturation does it.
    """

    scale_bits: int
    shift: int
    center: IntArray
    is_constant: np.ndarray
    multiplier: IntArray
    offset: IntArray
    step: IntArray
    low: int | None
    high: int | None

    @property
    def has_steps(self) -> bool:
        return bool(self.step.any())

    def apply(self, acc: IntArray) -> IntArray:
        """acc: the true accumulators, int64 [..., channels]. The outputs, int64."""
        acc = np.where(self.is_constant, 0, acc - self.center)
        total = _mulhi(acc, self.scale_bits, self.multiplier) + self.offset
        y = np.clip((total - np.where(acc < 0, self.step, 0)) >> self.shift, INT8_MIN, INT8_MAX)
        return np.clip(y, self.low, self.high) if (self.low, self.high) != (None, None) else y


@dataclass(frozen=True, eq=False)
class ExactRequantization:
    """y = clamp(requantize(acc, multiplier, shift) + zero_point), for every acc in low..high.

    low, high, multiplier, shift: int64 [channels].
    """

    low: IntArray
    high: IntArray
    multiplier: IntArray
    shift: IntArray
    zero_point: int
    activation_min: int
    activation_max: int

    def apply(self, acc: IntArray) -> IntArray:
        """acc: int64 [..., channels]."""
        y = requantize(acc, self.multiplier, self.shift) + self.zero_point
        return np.clip(y, self.activation_min, self.activation_max)

    def is_monotone(self) -> bool:
        """No left shift wraps."""
        largest = np.maximum(np.abs(self.low), np.abs(self.high)) << np.maximum(self.shift, 0)
        return self.activation_min < self.activation_max and bool((largest <= INT32_MAX).all())

    def thresholds(self) -> tuple[IntArray, IntArray]:
        """(levels [L, 1], thresholds [L, channels]): the least acc that gives a level or more.

        It is `low` where every acc does, `high + 1` where none does.
        """
        levels = np.arange(self.activation_min + 1, self.activation_max + 1, dtype=np.int64)[:, None]
        first = np.repeat(self.low[None], len(levels), 0)
        end = np.repeat(self.high[None] + 1, len(levels), 0)
        while (first < end).any():
            middle = (first + end) >> 1
            reached = self.apply(middle) >= levels
            first, end = np.where(reached, first, np.minimum(middle + 1, end)), np.where(reached, middle, end)
        return levels, first


@lru_cache(maxsize=64)
def short_requantization(node: BoundNode, scale_bits: int = 8) -> ShortRequantization | None:
    """Of a linear operator's node, from what is known of its input; None if there is no proof.

    scale_bits: the kernel's accumulators are 2**scale_bits times the reference's.
    """
    low, high = accumulator_range(node)
    multiplier, shift = channel_multipliers(node)
    clamp = activation_range(node.attrs.activation, node.output)
    return shortened(
        ExactRequantization(low, high, multiplier, shift, node.output.zero_point, *clamp), scale_bits
    )


def shortened(exact: ExactRequantization, scale_bits: int) -> ShortRequantization | None:
    """The short form that gives the same outputs for all accumulators in range, None if none is found."""
    if not exact.is_monotone():
        return None
    constant_value = exact.apply(exact.low)
    is_constant = constant_value == exact.apply(exact.high)
    too_large = np.maximum(np.abs(exact.low), np.abs(exact.high)) << scale_bits > INT32_MAX
    center = np.where(too_large, (exact.low + exact.high) >> 1, 0)
    largest = np.maximum(exact.high - center, center - exact.low)
    shift = _common_shift(exact, ~is_constant, scale_bits)
    if shift < 1 or (~is_constant & (largest << scale_bits > INT32_MAX)).any():
        return None
    search = _Search(exact, scale_bits, shift, center, *exact.thresholds())
    found = search.run(~is_constant)
    if found is None:
        return None
    multiplier, offset, step = (np.where(is_constant, 0, values) for values in found)
    short = ShortRequantization(
        scale_bits,
        shift,
        np.where(is_constant, 0, center),
        is_constant,
        multiplier,
        np.where(is_constant, constant_value << shift, offset),
        step,
        None,
        None,
    )
    needs_low = bool((short.apply(exact.low) < exact.activation_min).any())
    needs_high = bool((short.apply(exact.high) > exact.activation_max).any())
    return replace(
        short,
        low=exact.activation_min if needs_low else None,
        high=exact.activation_max if needs_high else None,
    )


def _mulhi(acc: IntArray, scale_bits: int, multiplier: IntArray) -> IntArray:
    return ((acc << scale_bits) * multiplier) >> 32


def _common_shift(exact: ExactRequantization, varies: np.ndarray, scale_bits: int) -> int:
    """The largest with which every channel's multiplier is an int32."""
    used = varies & (exact.multiplier > 0)
    if not used.any():
        return 8
    return min(int((scale_bits - 1 - exact.shift[used]).min()), _LARGEST_SHIFT)


@dataclass(frozen=True, eq=False)
class _Search:
    """For the constants of all channels at once. levels, thresholds: of ExactRequantization."""

    exact: ExactRequantization
    scale_bits: int
    shift: int
    center: IntArray
    levels: IntArray
    thresholds: IntArray

    def run(self, wanted: np.ndarray) -> tuple[IntArray, IntArray, IntArray] | None:
        """(multiplier, offset, step) for the wanted channels; None if one of them has none."""
        exponent = np.clip(self.shift + 1.0 - self.scale_bits + self.exact.shift, -62, 62)
        nearest = np.rint(self.exact.multiplier * np.exp2(exponent)).astype(np.int64)
        result = [np.zeros_like(nearest) for _ in range(3)]
        missing = wanted.copy()
        # First without a step for any channel; only if that fails for some, with one.
        for with_step in (False, True):
            for trial in _MULTIPLIER_TRIALS:
                if not missing.any():
                    return result[0], result[1], result[2]
                candidate = np.clip(nearest + trial, 0, INT32_MAX)
                offset, step, fits = self._offsets(candidate, with_step)
                fits &= missing
                for array, values in zip(result, (candidate, offset, step), strict=True):
                    array[fits] = values[fits]
                missing &= ~fits
        return None if missing.any() else (result[0], result[1], result[2])

    def _offsets(self, multiplier: IntArray, with_step: bool) -> tuple[IntArray, IntArray, np.ndarray]:
        """(offset, step, whether they are proved) for each channel."""
        bound = self.levels << self.shift
        reaches = bound - self._product(self.thresholds, multiplier)
        stays_below = bound - 1 - self._product(self.thresholds - 1, multiplier)
        has_first = self.thresholds <= self.exact.high
        has_last = self.thresholds > self.exact.low
        if not with_step:
            offset, fits = _within(reaches, has_first, stays_below, has_last)
            return offset, np.zeros_like(offset), fits & self._no_overflow(multiplier, offset)
        first_negative = self.thresholds < self.center
        last_negative = self.thresholds - 1 < self.center
        above, fits_above = _within(
            reaches, has_first & ~first_negative, stays_below, has_last & ~last_negative
        )
        below, fits_below = _within(
            reaches, has_first & first_negative, stays_below, has_last & last_negative
        )
        step = above - below
        fits = fits_above & fits_below & (step >= 0) & (step < 1 << 30)
        return above, step, fits & self._no_overflow(multiplier, above) & self._no_overflow(multiplier, below)

    def _product(self, acc: IntArray, multiplier: IntArray) -> IntArray:
        return _mulhi(acc - self.center, self.scale_bits, multiplier)

    def _no_overflow(self, multiplier: IntArray, offset: IntArray) -> np.ndarray:
        ends = [self._product(acc, multiplier) + offset for acc in (self.exact.low, self.exact.high)]
        return np.all([np.abs(x) <= INT32_MAX for x in (*ends, offset)], axis=0)


def _within(
    least: IntArray, has_least: np.ndarray, most: IntArray, has_most: np.ndarray
) -> tuple[IntArray, np.ndarray]:
    """(a value within all bounds of a channel, whether there is one); bounds [L, channels] that are had."""
    lower = np.where(has_least, least, -_UNBOUNDED).max(axis=0)
    upper = np.where(has_most, most, _UNBOUNDED).min(axis=0)
    lower, upper = np.where(lower == -_UNBOUNDED, upper, lower), np.where(upper == _UNBOUNDED, lower, upper)
    free = upper == _UNBOUNDED  # no bound at all
    return np.where(free, 0, (lower + upper) >> 1), free | (lower <= upper)
