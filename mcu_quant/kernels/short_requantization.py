"""Requantization in a few instructions, proven for each channel to give requantize's bits.

A channel's output never falls while its accumulator grows, so it is known by its thresholds: for each
int8 value k, the least accumulator that gives k or more. The short form

    u = floor(a * multiplier / 2**fraction) + addend      (a = accumulator - folded_bias)
    u += step, where the layer is signed and u >= 0
    output = clamp((u >> shift) + origin)

is monotone, too: if it is on the right side just below and at each threshold that the channel's
accumulators can meet, it is right everywhere. For a given multiplier each threshold bounds the addend
from both sides, so that a proof is one intersection of intervals, and a search tries some multipliers.
`step` is there because the reference rounds halves away from zero: negative results have another
addend than the others. A layer whose outputs never lie below zero_point is not signed.

How the product is formed is the kernel's affair. Two forms are fitted here: `fit_digits`, for cores
that multiply 32 bits by 32 to 32, and `fit_smull`, which takes the high word of a long product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, INT32_MIN, IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.linear import accumulator_range, channel_multipliers

#: How many multipliers are tried for a channel.
_TRIES = 129
_MAX_DIGIT_BITS = 20
#: With these, accumulator * multiplier stays below 2**62.
_MAX_SHIFT, _MAX_DIGITS_FRACTION = 24, 28
_WIDEST_PRODUCT = 2**62
#: An addend beyond all that occur.
_FREE = 2**40


@dataclass(frozen=True, eq=False)
class Requantization:
    """What the reference does to a layer's accumulators. low, high, multiplier, shift: int64 [channels].

    low, high: the accumulators that any input gives, bias included.
    """

    low: IntArray
    high: IntArray
    multiplier: IntArray
    shift: IntArray
    zero_point: int
    activation_min: int
    activation_max: int

    def outputs(self, accumulators: IntArray) -> IntArray:
        """The reference's outputs for accumulators [..., channels]."""
        y = requantize(accumulators, self.multiplier, self.shift) + self.zero_point
        return np.clip(y, self.activation_min, self.activation_max)

    @property
    def is_signed(self) -> bool:
        """Some output lies below zero_point, so that the rounding of negative numbers matters."""
        return bool((self.outputs(self.low) < self.zero_point).any())


def requantization_of(node: BoundNode) -> Requantization:
    """Of a conv_2d, depthwise_conv_2d or fully_connected node."""
    low, high = accumulator_range(node)
    multiplier, shift = channel_multipliers(node)
    bounds = activation_range(node.attrs.activation, node.output)
    return Requantization(low, high, multiplier, shift, node.output.zero_point, *bounds)


@dataclass(frozen=True, eq=False)
class ShortRequantization:
    """The constants of the short form; see the module. int64 [channels], but for proven (bool).

    Channels that are not proven have multiplier, addend and step 0, and must be computed otherwise.
    lowest, highest: over all channels, of u >> shift, before the clamp.
    digit_bits: of fit_digits. left_shift: of fit_smull.
    """

    multiplier: IntArray
    addend: IntArray
    step: IntArray
    proven: np.ndarray
    fraction: int
    shift: int
    origin: int
    is_signed: bool
    lowest: int
    highest: int
    digit_bits: int = 0
    left_shift: int = 0

    def digits(self, count: int) -> IntArray:
        """[channels, count]: multiplier = sum of digit[i] * 2**(i * digit_bits), all but the last signed.

        floor(a * multiplier / 2**fraction) is then, from the lowest digit on, t = a * digit[0], and for
        each next one t = (t >> digit_bits) + a * digit[i]; only the last sum may wrap before the addend.
        """
        rest, columns = self.multiplier, []
        half = np.int64(1) << (self.digit_bits - 1)
        for _ in range(count - 1):
            digit = ((rest + half) & (2 * half - 1)) - half
            columns.append(digit)
            rest = (rest - digit) >> self.digit_bits
        return np.stack([*columns, rest], axis=1)


def fit_digits(layer: Requantization, folded_bias: IntArray, count: int) -> ShortRequantization | None:
    """The short form with a multiplier of `count` digits; fraction = (count - 1) * digit_bits.

    folded_bias: accumulator - a, int64 [channels]: bias and zero-point term, which the addend takes over.
    None if there is no room for digits of even one bit.
    """
    largest = _largest(layer.low - folded_bias, layer.high - folded_bias)
    bits = min(_MAX_DIGIT_BITS, _MAX_DIGITS_FRACTION // (count - 1))
    while bits > 0 and largest * ((1 << (bits - 1)) + 1) > INT32_MAX:
        bits -= 1
    if bits == 0:
        return None
    return _fit(layer, folded_bias, (count - 1) * bits, _widest_shift(layer), digit_bits=bits)


def fit_smull(layer: Requantization, folded_bias: IntArray) -> ShortRequantization | None:
    """The short form as SMULL's high word of (a << left_shift) * multiplier; fraction = 32 - left_shift.

    multiplier < 2**31; a << left_shift is an int32. None if accumulators need all 32 bits.
    """
    largest = _largest(layer.low - folded_bias, layer.high - folded_bias)
    left = 0
    while left < 31 and (largest << (left + 1)) <= INT32_MAX:
        left += 1
    shift = _widest_shift(layer)
    while shift > 0 and (_ideal_multiplier(layer, 32 - left, shift) >= 2**31 - 2**12).any():
        shift -= 1
    if largest > INT32_MAX:
        return None
    return _fit(layer, folded_bias, 32 - left, shift, left_shift=left)


def _largest(low: IntArray, high: IntArray) -> int:
    return int(max(np.abs(low).max(), np.abs(high).max(), 1))


def _scaled(layer: Requantization, accumulators: IntArray) -> np.ndarray:
    """accumulators * real multiplier, float64."""
    return np.asarray(accumulators * (layer.multiplier * 2.0 ** (layer.shift.astype(np.float64) - 31)))


def _widest_shift(layer: Requantization) -> int:
    """The largest shift at which every u is an int32, with room for rounding."""
    reach = max(np.abs(_scaled(layer, layer.low)).max(), np.abs(_scaled(layer, layer.high)).max()) + 260
    return max(0, min(_MAX_SHIFT, int(np.floor(np.log2(INT32_MAX / reach)))))


def _ideal_multiplier(layer: Requantization, fraction: int, shift: int) -> np.ndarray:
    """float64 [channels]; exact enough: doubles have 53 bits, multipliers 31."""
    return np.asarray(layer.multiplier * 2.0 ** (layer.shift + (fraction + shift - 31)).astype(np.float64))


def _fit(
    layer: Requantization,
    folded_bias: IntArray,
    fraction: int,
    shift: int,
    *,
    digit_bits: int = 0,
    left_shift: int = 0,
) -> ShortRequantization:
    """Try multipliers for each channel, nearest to the ideal first."""
    signed = layer.is_signed
    origin = layer.zero_point if signed else layer.activation_min
    channels = len(layer.low)
    multiplier, addend, step = (np.zeros(channels, np.int64) for _ in range(3))
    ideal = np.rint(np.minimum(_ideal_multiplier(layer, fraction, shift), 2.0**62)).astype(np.int64)
    # Multipliers nearer to each other than this differ by less than an eighth of an addend's unit.
    reach = np.maximum(np.maximum(np.abs(layer.low - folded_bias), np.abs(layer.high - folded_bias)), 1)
    grain = np.maximum((1 << fraction) // (8 * reach), 1)
    limits = _Limits.of(layer, folded_bias, origin, shift, signed)
    # The ends tell of what lies between only if no accumulator wraps.
    constant = (limits.is_exact | (layer.multiplier == 0)) & _constant_outputs(layer)
    left = np.flatnonzero(limits.is_exact & ~constant & (ideal < _WIDEST_PRODUCT // reach))
    for trial in range(_TRIES):
        distance = (trial + 1) // 2 * (1 if trial % 2 else -1)
        candidate = np.maximum(ideal[left] + distance * grain[left], 0)
        found, sums, steps = limits.solve(left, candidate, fraction)
        done = left[found]
        multiplier[done], addend[done], step[done] = candidate[found], sums[found], steps[found]
        left = left[~found]
        if not len(left):
            break
    proven = limits.is_exact & ~constant & (ideal < _WIDEST_PRODUCT // reach)
    proven[left] = False
    value = layer.outputs(layer.low) - origin
    addend[constant], proven[constant] = (value << shift)[constant], True
    ends = np.stack([layer.low, layer.high]) - folded_bias
    u = ((ends * multiplier) >> fraction) + addend
    u += np.where(u >= 0, step, 0)
    proven &= ((u >= INT32_MIN) & (u <= INT32_MAX)).all(axis=0) & (np.abs(addend) <= INT32_MAX)
    for table in (multiplier, addend, step):
        table[~proven] = 0
    u = np.where(proven, u, 0) >> shift
    return ShortRequantization(
        multiplier, addend, step, proven, fraction, shift, origin, signed, int(u.min()), int(u.max()),
        digit_bits, left_shift,
    )  # fmt: skip


def _constant_outputs(layer: Requantization) -> np.ndarray:
    return np.asarray(layer.outputs(layer.low) == layer.outputs(layer.high))


@dataclass(frozen=True, eq=False)
class _Limits:
    """The thresholds of each channel as conditions on u, int64 [channels, thresholds].

    at: u there, for a = at, must be >= goal; at a = at - 1, it must be < goal. Conditions that no
    accumulator of the channel meets are off (must_reach, must_miss false). negative: bool [thresholds],
    those that u meets before step is added. is_exact: no accumulator wraps in the reference.
    """

    at: IntArray
    goal: IntArray
    must_reach: np.ndarray
    must_miss: np.ndarray
    negative: np.ndarray
    is_exact: np.ndarray
    largest_step: int

    @classmethod
    def of(
        cls, layer: Requantization, folded_bias: IntArray, origin: int, shift: int, signed: bool
    ) -> _Limits:
        values = np.arange(layer.activation_min + 1, layer.activation_max + 1, dtype=np.int64)
        negative = values <= layer.zero_point if signed else np.zeros(len(values), bool)
        threshold = _thresholds(layer, values)
        low, high = layer.low[:, None], layer.high[:, None]
        left = np.maximum(layer.shift, 0)
        reach = np.maximum(np.abs(layer.low), np.abs(layer.high)) << left
        return cls(
            np.clip(threshold, low, high + 1) - folded_bias[:, None],
            np.broadcast_to((values - origin) << shift, threshold.shape),
            threshold <= high,
            threshold > low,
            negative,
            (reach <= INT32_MAX) & (layer.multiplier > 0),
            1 << shift,
        )

    def solve(
        self, channels: IntArray, multiplier: IntArray, fraction: int
    ) -> tuple[np.ndarray, IntArray, IntArray]:
        """(solved, addend, step) of those channels with those multipliers."""
        at, goal = self.at[channels], self.goal[channels]
        factor = multiplier[:, None]
        least = np.where(self.must_reach[channels], goal - ((at * factor) >> fraction), -_FREE)
        most = np.where(self.must_miss[channels], goal - 1 - (((at - 1) * factor) >> fraction), _FREE)
        low, high = _interval(least, most, ~self.negative, self.largest_step)
        if not self.negative.any():
            return low <= high, (low + high) >> 1, np.zeros(len(channels), np.int64)
        low_below, high_below = _interval(least, most, self.negative, self.largest_step)
        # One addend for both where that is possible; else the difference, which must not be negative.
        below = np.clip((low + high) >> 1, low_below, high_below)
        above = np.clip(below, low, high)
        step = above - below
        solved = (low <= high) & (low_below <= high_below) & (step >= 0) & (step <= self.largest_step)
        return solved, below, step


def _interval(least: IntArray, most: IntArray, which: np.ndarray, width: int) -> tuple[IntArray, IntArray]:
    """What all of those thresholds allow. An end that none binds is `width` from the other."""
    low = least[:, which].max(axis=1, initial=-_FREE)
    high = most[:, which].min(axis=1, initial=_FREE)
    free_low, free_high = (low == -_FREE) & (high < _FREE), (high == _FREE) & (low > -_FREE)
    return np.where(free_low, high - width, low), np.where(free_high, low + width, high)


def _thresholds(layer: Requantization, values: IntArray) -> IntArray:
    """The least accumulator whose output is at least k, for each k: int64 [channels, values].

    requantize's two roundings are floors: v = (x * m + 2**30) >> 31 and (v + half - (v < 0)) >> right.
    """
    right, left = np.maximum(-layer.shift, 0)[:, None], np.maximum(layer.shift, 0)[:, None]
    steps = values[None] - layer.zero_point
    half = (np.int64(1) << right) >> 1
    v = (steps << right) - half + ((steps <= 0) & (right > 0))
    v = np.clip(v, INT32_MIN - 1, INT32_MAX + 1)
    factor = np.maximum(layer.multiplier[:, None], 1) << left
    return -((-(v << 31) + (1 << 30)) // factor)
