"""All integer arithmetic of the reference, once. docs/ARITHMETIC.md derives every formula.

Accumulators are int32 values; they are held here in int64 arrays so that no product overflows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

INT8_MIN, INT8_MAX = -128, 127
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

IntArray = NDArray[np.int64]


def round_half_away(x: float) -> int:
    """Round a real number to the nearest integer, halves away from zero (C's round)."""
    return int(math.floor(abs(x) + 0.5)) * (1 if x >= 0 else -1)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real ~ multiplier / 2**31 * 2**shift. ARITHMETIC section 2.

    real: a ratio of scales, formed in double, >= 0. multiplier: int32, 0 or [2**30, 2**31).
    shift: positive = left. Ratios below 2**-32 give (0, 0).
    """
    if real == 0.0:
        return 0, 0
    mantissa, shift = math.frexp(real)
    multiplier = round_half_away(mantissa * 2**31)
    if multiplier == 2**31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def wrap_int32(x: IntArray) -> IntArray:
    """The int32 that a wrapping sum holds, as int64 [...]."""
    return x.astype(np.int64).astype(np.int32).astype(np.int64)


def saturate(x: IntArray, low: int = INT32_MIN, high: int = INT32_MAX) -> IntArray:
    """Clamp to [low, high], int32 by default."""
    return np.clip(x, low, high)


def high_mul(a: IntArray, b: IntArray | int) -> IntArray:
    """SaturatingRoundingDoublingHighMul: (a * b + 2**30) >> 31; a = b = -2**31 saturates."""
    return np.minimum((np.asarray(a, np.int64) * b + (1 << 30)) >> 31, INT32_MAX)


def rounding_divide_by_power_of_two(x: IntArray, exponent: IntArray | int) -> IntArray:
    """x / 2**exponent, halves away from zero. x: int32 range. exponent: [0, 31]."""
    x = np.asarray(x, np.int64)
    exponent = np.asarray(exponent, np.int64)
    half = (np.int64(1) << exponent) >> 1
    return (x + half - ((x < 0) & (exponent > 0))) >> exponent


def requantize(acc: IntArray, multiplier: IntArray | int, shift: IntArray | int) -> IntArray:
    """Scale an int32 accumulator to the output's integer scale. C twin: mq_requantize.

    acc: int32 [...]. multiplier: int32, 0 or [2**30, 2**31). shift: [-31, 30]. The last two are
    scalars or broadcast against acc (per channel: [channels]).
    Returns int32 [...], before zero_point and clamp. Rounding: ARITHMETIC section 2 (double).
    """
    shift = np.asarray(shift, np.int64)
    left, right = np.maximum(shift, 0), np.maximum(-shift, 0)
    shifted = wrap_int32(np.asarray(acc, np.int64) << left)
    return rounding_divide_by_power_of_two(high_mul(shifted, multiplier), right)
