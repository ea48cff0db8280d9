"""tf.quantization.quantize and .dequantize, mode by mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mcu_quant.affine.operands import (
    IntegerType,
    f32,
    integer_type,
    real_numbers,
    real_ranges,
    require_known,
    round_half_away,
)
from mcu_quant.errors import InvalidInputError

MODES = ("MIN_COMBINED", "MIN_FIRST", "SCALED")
ROUND_MODES = ("HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN")

_FLOAT32_MAX = np.finfo(np.float32).max
#: The largest float32 that an int32 holds.
_INT32_FLOAT_MAX = np.float32(2147483520.0)


class Quantized(NamedTuple):
    """What quantize gives: integers [shape of x], and the range that was used (float32, [] or [slices])."""

    output: np.ndarray
    output_min: np.ndarray
    output_max: np.ndarray


def quantize(
    x: Any,
    min_range: Any,
    max_range: Any,
    dtype: Any,
    mode: str = "MIN_COMBINED",
    round_mode: str = "HALF_AWAY_FROM_ZERO",
    narrow_range: bool = False,
    axis: int | None = None,
    ensure_minimum_range: float = 0.01,
    onednn: bool = False,
) -> Quantized:
    """tf.quantization.quantize. x: real numbers, infinities saturate.

    min_range, max_range: one number each; with axis, one for each index of that axis.
    dtype: "qint8", "quint8", "qint16", "quint16" or "qint32" (QTYPES), or what prints as one, tf.qint8.

    The range first grows to hold 0 and, to a width of at least
    ensure_minimum_range * max(1, |min_range|, |max_range|), upwards. With lowest and highest of the type:
    MIN_COMBINED: round((x - min) * (highest - lowest) / (max - min)) + lowest. In signed types the half range
        is taken off before rounding, so that 0.0 of a symmetric range has no integer of its own.
    MIN_FIRST: round(x * s) - round(min * s) + lowest, s = (highest - lowest) / (max - min): 0.0 is exact.
        It has no axis.
    SCALED: round(x * s), s the smaller of lowest / min and highest / max (of those that limit anything);
        narrow_range leaves the lowest integer out. output_min and output_max are lowest / s and highest / s.
    round_mode HALF_TO_EVEN exists in SCALED only, and narrow_range counts in SCALED only.

    onednn: as TensorFlow computes with oneDNN, its default on x86 (TF_ENABLE_ONEDNN_OPTS=0: off). Two things
    are not the documented formulas then: SCALED with HALF_TO_EVEN to 8 bits has, whatever narrow_range,
    s = 127.5 / max(|min|, |max|) signed and 255 / max(|min|, |max|) unsigned; MIN_FIRST to quint8 rounds
    x * s - min * s once, halves to even.

    To qint32, the upper end of MIN_COMBINED and SCALED overflows in float32 and gives the lowest integer, as
    in TensorFlow on x86. Raises InvalidInputError for NaN, min_range > max_range and unknown modes and types.
    Source: TensorFlow's documentation of QuantizeV2 (tensorflow/core/api_def).
    """
    target = integer_type(dtype)
    require_known("mode", mode, MODES)
    require_known("round mode", round_mode, ROUND_MODES)
    if round_mode == "HALF_TO_EVEN" and mode != "SCALED":
        raise InvalidInputError(
            "HALF_TO_EVEN exists in mode SCALED only", value=mode, hint="HALF_AWAY_FROM_ZERO"
        )
    _refuse_axis(mode, axis)
    if not ensure_minimum_range >= 0:
        raise InvalidInputError("ensure_minimum_range must be at least 0", value=ensure_minimum_range)
    real = real_numbers(x)
    low, high = real_ranges(min_range, max_range, real, axis, equal=True)
    low, high = _widened(low, high, f32(ensure_minimum_range))
    with np.errstate(all="ignore"):
        if mode == "MIN_COMBINED":
            values = _min_combined(real, low, high, target)
        elif mode == "MIN_FIRST":
            first = _min_first_onednn if onednn and target.name == "uint8" else _min_first
            values = first(real, low, high, target)
        elif onednn and round_mode == "HALF_TO_EVEN" and target.name in ("int8", "uint8"):
            values, low, high = _scaled_onednn(real, low, high, target)
        else:
            rounding = np.rint if round_mode == "HALF_TO_EVEN" else round_half_away
            values, low, high = _scaled(real, low, high, target, narrow_range, rounding)
    slices = () if axis is None else (-1,)
    return Quantized(target.cast(values), low.reshape(slices), high.reshape(slices))


def dequantize(
    q: Any,
    min_range: Any,
    max_range: Any,
    mode: str = "MIN_COMBINED",
    narrow_range: bool = False,
    axis: int | None = None,
) -> np.ndarray:
    """tf.quantization.dequantize to float32. q: integers of a type of QTYPES, which their dtype says.

    min_range, max_range: one number each; with axis, one for each index of that axis.
    MIN_COMBINED: (q - lowest) * s + min, s = (max - min) / (highest - lowest).
    MIN_FIRST: q * s + (round(min / s) * s - lowest * s); no axis.
    SCALED: q * s, s = max(min / lowest, max / highest), of unsigned types max / highest; narrow_range: the
    lowest integer is one more.
    Raises InvalidInputError as quantize does. Source: TensorFlow's documentation of Dequantize.
    """
    integers = np.asarray(q)
    source = integer_type(integers.dtype.name)
    require_known("mode", mode, MODES)
    _refuse_axis(mode, axis)
    low, high = real_ranges(min_range, max_range, integers, axis, equal=True)
    values = integers.astype(np.float32)
    steps = f32(f32(source.high) - f32(source.low))
    with np.errstate(all="ignore"):
        if mode == "MIN_COMBINED":
            real = (values + source.half_range) * ((high - low) / steps) + low
        elif mode == "MIN_FIRST":
            scale = ((high - low).astype(np.float64) / (source.high - source.low)).astype(np.float32)
            start = np.where(high == low, low, round_half_away(low / scale) * scale)
            real = (start - f32(source.low) * scale) + values * scale
        else:
            scale = high / f32(source.high)
            if source.low:
                scale = np.maximum(low / f32(source.low + int(narrow_range)), scale)
            real = values * scale
    return real.astype(np.float32)


def _widened(low: np.ndarray, high: np.ndarray, least: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """The range with 0 in it, and not too narrow."""
    room = np.maximum(f32(1), np.maximum(np.abs(low), np.abs(high))) * least
    wide_low = np.minimum(f32(0), low)
    return wide_low, np.maximum(f32(0), np.maximum(high, wide_low + room))


def _min_combined(x: np.ndarray, low: np.ndarray, high: np.ndarray, target: IntegerType) -> np.ndarray:
    scale = ((target.high - target.low) / (high - low).astype(np.float64)).astype(np.float32)
    steps = (np.maximum(np.minimum(x, high), low) - low) * scale
    return round_half_away(steps - target.half_range) if target.low else np.trunc(steps + f32(0.5))


def _min_first(x: np.ndarray, low: np.ndarray, high: np.ndarray, target: IntegerType) -> np.ndarray:
    scale = ((target.high - target.low) / (high - low).astype(np.float64)).astype(np.float32)
    scale = np.where(high == low, f32(0), scale)
    steps = round_half_away(x * scale) - (round_half_away(low * scale) - f32(target.low))
    return np.minimum(np.maximum(steps, f32(target.low)), np.minimum(f32(target.high), _INT32_FLOAT_MAX))


def _min_first_onednn(x: np.ndarray, low: np.ndarray, high: np.ndarray, target: IntegerType) -> np.ndarray:
    scale = ((target.high - target.low) / (high - low).astype(np.float64)).astype(np.float32)
    return np.clip(np.rint(x * scale - low * scale), target.low, target.high)


def _scaled(
    x: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    target: IntegerType,
    narrow_range: bool,
    rounding: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ends = f32(target.low + int(narrow_range)), f32(target.high)
    sides = [np.where(q * end > 0, q / end, _FLOAT32_MAX) for q, end in zip(ends, (low, high), strict=True)]
    scale = np.minimum(*sides)
    low, high = (_without_subnormal(end / scale) for end in ends)
    return rounding(np.maximum(np.minimum(x, high), low) * scale), low, high


def _without_subnormal(value: np.ndarray) -> np.ndarray:
    return np.where(np.abs(value) < np.finfo(np.float32).tiny, f32(0), value)


def _scaled_onednn(
    x: np.ndarray, low: np.ndarray, high: np.ndarray, target: IntegerType
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    largest = np.maximum(np.abs(low), np.abs(high))
    scale = f32(127.5 if target.low else 255) / largest
    q = np.clip(np.rint(x * scale), target.low, target.high)
    return q, (-largest if target.low else np.zeros_like(largest)), largest


def _refuse_axis(mode: str, axis: int | None) -> None:
    if mode == "MIN_FIRST" and axis is not None:
        raise InvalidInputError("MIN_FIRST has one range for the whole tensor", value=f"axis {axis}")
