"""Requantization in two instructions: constants found for each channel, and proved over its true range.

    y = saturate8((mulhi(a, multiplier) + addend) >> shift)     SMMLA; SSAT #8, ASR #shift
    a = (acc - center) << scale_bits                            mulhi: the upper half of a 64-bit product

and, where negative accumulators round otherwise, `- step` if a < 0 (AND step, a, ASR #31; SUB).

Both sides are steps that rise with acc, so they are equal if they rise at the same accumulators: at
most 255 thresholds for each channel. For a given multiplier every threshold bounds the addend from
one side; an addend within all bounds is proved. A channel that gives one value whatever the input has
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
#: Tried first, as layers with one shift can share their inner loop; most layers can have it.
_USUAL_SHIFT = 12
#: By how much a multiplier may be off the nearest one, in its last place.
_MULTIPLIER_TRIALS = sorted(range(-24, 25), key=abs)
_UNBOUNDED = 1 << 40


@dataclass(frozen=True, eq=False)
class ShortRequantization:
    """What the instructions take; see the module. Arrays: int64 [channels], of int32 values.

    center: what the kernel takes from its bias. is_constant: channels of one value, whose weights and
    accumulator are to be 0 (as far as the kernel wants). step: all 0 if no sign fix is needed at all.
    is_unproved: channels that have no such constants (partial_requantization only); nothing else holds for
    them. low, high: int8 limits still to be applied after the saturation, None where saturation does it.
    """

    scale_bits: int
    shift: int
    center: IntArray
    is_constant: np.ndarray
    is_unproved: np.ndarray
    multiplier: IntArray
    addend: IntArray
    step: IntArray
    low: int | None
    high: int | None

    @property
    def has_steps(self) -> bool:
        return bool(self.step.any())

    def apply(self, acc: IntArray) -> IntArray:
        """acc: the true accumulators, int64 [..., channels]. The outputs, int64."""
        acc = np.where(self.is_constant, 0, acc - self.center)
        total = _mulhi(acc, self.scale_bits, self.multiplier) + self.addend
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

    def is_monotone(self) -> np.ndarray:
        """The channels of which no left shift wraps."""
        largest = np.maximum(np.abs(self.low), np.abs(self.high)) << np.maximum(self.shift, 0)
        return largest <= INT32_MAX

    def thresholds(self) -> tuple[IntArray, IntArray]:
        """(levels [L, 1], thresholds [L, channels]): the least acc that gives a level or more.

        It is `low` where every acc does, `high + 1` where none does.
        """
        last = max(self.activation_max, self.activation_min + 1)
        levels = np.arange(self.activation_min + 1, last + 1, dtype=np.int64)[:, None]
        first = np.repeat(self.low[None], len(levels), 0)
        end = np.repeat(self.high[None] + 1, len(levels), 0)
        while (first < end).any():
            middle = (first + end) >> 1
            reached = self.apply(middle) >= levels
            first, end = np.where(reached, first, np.minimum(middle + 1, end)), np.where(reached, middle, end)
        return levels, first


@lru_cache(maxsize=64)
def partial_requantization(node: BoundNode, scale_bits: int = 8) -> ShortRequantization:
    """Of a linear operator's node, from what is known of its input.

    scale_bits: the kernel's accumulators are 2**scale_bits times the reference's.
    """
    low, high = accumulator_range(node)
    multiplier, shift = channel_multipliers(node)
    clamp = activation_range(node.attrs.activation, node.output)
    return shortened(
        ExactRequantization(low, high, multiplier, shift, node.output.zero_point, *clamp), scale_bits
    )


def short_requantization(node: BoundNode, scale_bits: int = 8) -> ShortRequantization | None:
    """The same if it is proved for all channels, else None."""
    short = partial_requantization(node, scale_bits)
    return None if short.is_unproved.any() else short


def shortened(exact: ExactRequantization, scale_bits: int) -> ShortRequantization:
    """The short form that gives the same outputs for all accumulators in range, as far as one is found."""
    is_monotone = exact.is_monotone()
    value = exact.apply(exact.low)
    is_constant = is_monotone & (value == exact.apply(exact.high))
    too_large = np.maximum(np.abs(exact.low), np.abs(exact.high)) << scale_bits > INT32_MAX
    center = np.where(too_large & ~is_constant, (exact.low + exact.high) >> 1, 0)
    largest = np.maximum(exact.high - center, center - exact.low)
    wanted = ~is_constant & is_monotone & (largest << scale_bits <= INT32_MAX)
    thresholds = exact.thresholds()
    best = None
    for shift in _shifts(exact, wanted, scale_bits):
        found = _Search(exact, scale_bits, shift, center, *thresholds).run(wanted)
        if best is None or found.missing.sum() < best.missing.sum():
            best = found
        if not best.missing.any():
            break
    assert best is not None
    short = ShortRequantization(
        scale_bits,
        best.shift,
        center,
        is_constant,
        ~is_constant & (best.missing | ~wanted),
        best.multiplier,
        np.where(is_constant, value << best.shift, best.addend),
        best.step,
        None,
        None,
    )
    needs_low = (short.apply(exact.low) < exact.activation_min) & ~short.is_unproved
    needs_high = (short.apply(exact.high) > exact.activation_max) & ~short.is_unproved
    return replace(
        short,
        low=exact.activation_min if needs_low.any() else None,
        high=exact.activation_max if needs_high.any() else None,
    )


def _mulhi(acc: IntArray, scale_bits: int, multiplier: IntArray) -> IntArray:
    return ((acc << scale_bits) * multiplier) >> 32


def _shifts(exact: ExactRequantization, wanted: np.ndarray, scale_bits: int) -> list[int]:
    """Shifts to try. With the larger ones products are finer, but some multiplier may not be an int32."""
    used = wanted & (exact.multiplier > 0)
    if not used.any():
        return [_USUAL_SHIFT]
    most = min(int((scale_bits - 1 - exact.shift[used]).min()), _LARGEST_SHIFT)
    shifts = dict.fromkeys((min(_USUAL_SHIFT, most), most, _USUAL_SHIFT, _USUAL_SHIFT + 2, _USUAL_SHIFT - 2))
    return [shift for shift in shifts if shift > 0]


@dataclass(frozen=True, eq=False)
class _Found:
    """Arrays [channels]. missing: the wanted channels for which nothing is found."""

    shift: int
    multiplier: IntArray
    addend: IntArray
    step: IntArray
    missing: np.ndarray


@dataclass(frozen=True, eq=False)
class _Search:
    """For the constants of all channels at once. levels, thresholds: of ExactRequantization."""

    exact: ExactRequantization
    scale_bits: int
    shift: int
    center: IntArray
    levels: IntArray
    thresholds: IntArray

    def run(self, wanted: np.ndarray) -> _Found:
        exponent = np.clip(self.shift + 1.0 - self.scale_bits + self.exact.shift, -62, 30)
        nearest = np.rint(self.exact.multiplier * np.exp2(exponent)).astype(np.int64)
        multiplier, addend, step = (np.zeros_like(nearest) for _ in range(3))
        missing = wanted & (nearest <= INT32_MAX)
        # First without a step for any channel; only for those where that fails, with one.
        for with_step in (False, True):
            for trial in _MULTIPLIER_TRIALS:
                index = np.flatnonzero(missing)
                if not len(index):
                    break
                candidate = np.clip(nearest[index] + trial, 0, INT32_MAX)
                addends, steps, fits = self._addends(index, candidate, with_step)
                found = index[fits]
                multiplier[found], addend[found], step[found] = candidate[fits], addends[fits], steps[fits]
                missing[found] = False
        return _Found(self.shift, multiplier, addend, step, missing | (wanted & (nearest > INT32_MAX)))

    def _addends(
        self, index: IntArray, multiplier: IntArray, with_step: bool
    ) -> tuple[IntArray, IntArray, np.ndarray]:
        """(addend, step, whether they are proved) for each channel of that index."""
        bound, thresholds, center = self.levels << self.shift, self.thresholds[:, index], self.center[index]
        low, high = self.exact.low[index], self.exact.high[index]

        def product(acc: IntArray) -> IntArray:
            return _mulhi(acc - center, self.scale_bits, multiplier)

        def no_overflow(addend: IntArray) -> np.ndarray:
            ends = (product(low) + addend, product(high) + addend, addend)
            return np.all([np.abs(x) <= INT32_MAX for x in ends], axis=0)

        reaches = bound - product(thresholds)
        stays_below = bound - 1 - product(thresholds - 1)
        has_first, has_last = thresholds <= high, thresholds > low
        if not with_step:
            addend, fits = _within(reaches, has_first, stays_below, has_last)
            return addend, np.zeros_like(addend), fits & no_overflow(addend)
        first_negative, last_negative = thresholds < center, thresholds - 1 < center
        above, fits_above = _within(
            reaches, has_first & ~first_negative, stays_below, has_last & ~last_negative
        )
        below, fits_below = _within(
            reaches, has_first & first_negative, stays_below, has_last & last_negative
        )
        step = above - below
        fits = fits_above & fits_below & (step >= 0) & (step < 1 << 30)
        return above, step, fits & no_overflow(above) & no_overflow(below)


def _within(
    least: IntArray, has_least: np.ndarray, most: IntArray, has_most: np.ndarray
) -> tuple[IntArray, np.ndarray]:
    """(a value within all bounds of a channel, whether there is one); bounds [L, channels] that are had."""
    lower = np.where(has_least, least, -_UNBOUNDED).max(axis=0)
    upper = np.where(has_most, most, _UNBOUNDED).min(axis=0)
    lower, upper = np.where(lower == -_UNBOUNDED, upper, lower), np.where(upper == _UNBOUNDED, lower, upper)
    free = upper == _UNBOUNDED  # no bound at all
    return np.where(free, 0, (lower + upper) >> 1), free | (lower <= upper)
