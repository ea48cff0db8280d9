"""All integer arithmetic of the reference, once. docs/ARITHMETIC.md derives every formula.

Accumulators are int32 values; they are held here in int64 arrays so that no product overflows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

INT8_MIN, INT8_MAX = -128, 127
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1

IntArray = NDArray[np.int64]


def round_half_away(x: float) -> int:
    """Round a real number to the nearest integer, halves away from zero (C's round)."""
    return math.floor(abs(x) + 0.5) * (1 if x >= 0 else -1)


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


def reduced_multiplier(multiplier: IntArray) -> IntArray:
    """A multiplier of quantize_multiplier in Q0.15, int32 [...]: what requantize_int64 multiplies with."""
    multiplier = np.asarray(multiplier, np.int64)
    return np.where(multiplier >= 0x7FFF0000, 0x7FFF, (multiplier + (1 << 15)) >> 16)


def requantize_int64(acc: IntArray, multiplier: IntArray | int, shift: IntArray | int) -> IntArray:
    """Scale an int64 accumulator, rounding once, halves up. ARITHMETIC section 12.

    C twin: mq_requantize_int64.

    acc: |acc| < 2**47. multiplier, shift: of quantize_multiplier, shift in [-31, 7]; scalars or broadcast
    against acc. Returns the int32 that the result is truncated to, before the clamp.
    """
    reduced = reduced_multiplier(np.asarray(multiplier, np.int64))
    right = 15 - np.asarray(shift, np.int64)
    product = np.asarray(acc, np.int64) * reduced
    return wrap_int32((product + (np.int64(1) << (right - 1))) >> right)


def saturating_left_shift(x: IntArray, exponent: int) -> IntArray:
    """x * 2**exponent, saturated to int32."""
    return saturate(np.asarray(x, np.int64) << exponent)


#: exp(-2**(i - 2)) in Q0.31, i = 0...: the factors of exp_on_negative_values. ARITHMETIC section 8.
_EXP_FACTORS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_MINUS_ONE_EIGHTH = 1895147668  # exp(-1/8) in Q0.31
_ONE_THIRD = 715827883  # in Q0.31
#: In Q0.31. The last four: 11/240, 1/20 and 1/4, times 2**(1/4); 2 / 2**(1/4) - 2**(1/4).
_LN_2, _SQRT_HALF, _SQRT_SQRT_HALF = 1488522236, 1518500250, 1805811301
_LOG_N, _LOG_D, _LOG_F, _LOG_I = 117049297, 127690142, 638450708, 1057819769
_48_OVER_17, _MINUS_32_OVER_17 = 1515870810, -1010580540  # in Q2.29


def exp_on_negative_values(a: IntArray, integer_bits: int) -> IntArray:
    """exp(a) in Q0.31 (gemmlowp's function of that name). ARITHMETIC section 8.

    a: int32 <= 0 in Q(integer_bits).(31 - integer_bits), integer_bits in 2..5. exp(0) is 2**31 - 1.

    The remainder of a modulo 1/4, in [-1/4, 0), goes through the Taylor polynomial about -1/8; what is
    left of a is a sum of negative powers of two, and the result is multiplied by exp of each.
    """
    a = np.asarray(a, np.int64)
    quarter = 1 << (29 - integer_bits)
    remainder = (a & (quarter - 1)) - quarter
    x = (remainder << integer_bits) + (1 << 28)
    x2 = high_mul(x, x)
    x3, x4 = high_mul(x2, x), high_mul(x2, x2)
    cubic = high_mul(rounding_divide_by_power_of_two(x4, 2) + x3, _ONE_THIRD)
    polynomial = rounding_divide_by_power_of_two(cubic + x2, 1)
    result = _EXP_MINUS_ONE_EIGHTH + high_mul(x + polynomial, _EXP_MINUS_ONE_EIGHTH)
    rest = remainder - a
    for i, factor in enumerate(_EXP_FACTORS[: integer_bits + 2]):
        result = np.where(rest & (quarter << i), high_mul(result, factor), result)
    return np.where(a == 0, INT32_MAX, result)


def one_over_one_plus_x(a: IntArray) -> IntArray:
    """1 / (1 + a) in Q0.31, for a in [0, 1] in Q0.31 (gemmlowp's one_over_one_plus_x_for_x_in_0_1)."""
    return saturating_left_shift(_newton_raphson(a), 1)


def one_minus_x_over_one_plus_x(a: IntArray) -> IntArray:
    """(1 - a) / (1 + a) in Q0.31, for a in [0, 1] in Q0.31 (gemmlowp's ..._for_x_in_0_1)."""
    return saturating_left_shift(_newton_raphson(a) - (1 << 29), 2)


def _newton_raphson(a: IntArray) -> IntArray:
    """2 / (1 + a) in Q2.29 by three Newton-Raphson steps. ARITHMETIC section 8."""
    half_denominator = rounding_divide_by_power_of_two(np.asarray(a, np.int64) + INT32_MAX, 1)
    x = _48_OVER_17 + high_mul(half_denominator, _MINUS_32_OVER_17)
    for _ in range(3):
        error = (1 << 29) - high_mul(half_denominator, x)
        x = x + saturating_left_shift(high_mul(x, error), 2)
    return x


def inverse_sqrt(x: IntArray) -> tuple[IntArray, IntArray]:
    """(multiplier, shift) for requantize, of 1 / sqrt(x). ARITHMETIC section 23.

    x: int32 >= 0; 0 counts as 1. TFLM's GetInvSqrtQuantizedMultiplierExp (common.h): x is brought to between
    2**27 and 2**29 by powers of four, and five Newton-Raphson steps start from 1, in Q3.28.
    """
    x = np.maximum(np.asarray(x, np.int64), 1)
    steps = (_headroom(x) - 1) // 2 - 1  # of two bits, to the left; -1 where x is 2**29 and more
    scaled = np.where(steps < 0, x >> 2, x << (2 * np.maximum(steps, 0)))
    half = rounding_divide_by_power_of_two(scaled >> 1, 1)
    y = np.full(x.shape, 1 << 28, np.int64)
    for _ in range(5):
        cube = saturating_left_shift(high_mul(high_mul(y, y), y), 6)
        y = saturating_left_shift(high_mul(y, 3 << 27) - high_mul(half, cube), 3)
    y = high_mul(y, _SQRT_HALF)
    right = 11 - steps
    multiplier = y << np.maximum(-right, 0)
    is_one = x == 1
    return np.where(is_one, INT32_MAX, multiplier), np.where(is_one, 0, -np.maximum(right, 0))


def log_of_at_least_one(x: IntArray) -> IntArray:
    """The natural logarithm of Q12.19 numbers >= 1 (below 4096), in Q5.26. ARITHMETIC section 22.

    gemmlowp-style log_x_for_x_greater_than_or_equal_to_1 of TFLM's common.h. x is 2**p * r, r about 2**-1/4
    between 2**-1/2 and 1; p is a multiple of 1/2 and 1/4, so that p ln 2 is added to what a quotient of two
    polynomials in r - 2**-1/4 gives.
    """
    whole = _headroom(x) - 1
    halves = np.minimum(high_mul(np.asarray(x, np.int64) << whole, _SQRT_HALF) << 1, INT32_MAX)
    scaled = _headroom(high_mul(x, _SQRT_HALF)) - 1
    r = np.minimum(halves, np.minimum(np.asarray(x, np.int64) << scaled, INT32_MAX))
    quarter = 1 << 23  # in Q6.25, as the powers are
    power = np.maximum(((11 - whole) << 25) + quarter, ((12 - scaled) << 25) - quarter)
    p, q = (r + _SQRT_SQRT_HALF + 1) >> 1, 2 * (r - _SQRT_SQRT_HALF)
    square = high_mul(q, q)
    numerator = high_mul(q, r) + high_mul(high_mul(q, square), _LOG_N)
    denominator = high_mul(p, _LOG_I + q + high_mul(square, _LOG_D)) + high_mul(q, _LOG_F)
    quotient = high_mul(rounding_divide_by_power_of_two(numerator, 6), one_over_one_plus_x(denominator))
    return saturate(2 * (high_mul(power, _LN_2) + quotient))


def _headroom(x: IntArray) -> IntArray:
    """Leading zeros of positive int32 numbers."""
    return 32 - np.frexp(np.asarray(x, np.float64))[1].astype(np.int64)
