"""The affine primitives: quantize, dequantize and fake quantization, equal to TensorFlow's bit for bit.

The formulas are those of TensorFlow's documentation of tf.quantization.quantize, .dequantize and
.fake_quant_with_min_max_*, computed in float32 in the order in which TensorFlow's CPU kernels compute
them; quantize_affine and dequantize_affine are those of the LiteRT 8-bit quantization specification.
All take arrays of any shape, keep that shape, and need numpy alone.

TensorFlow flushes subnormal numbers to 0, numpy does not: ranges and steps below 1.2e-38 may differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mcu_quant.errors import InvalidInputError

__all__ = [
    "QTYPES",
    "Quantized",
    "dequantize",
    "dequantize_affine",
    "fake_quant_with_min_max_args",
    "fake_quant_with_min_max_vars",
    "fake_quant_with_min_max_vars_per_channel",
    "quantize",
    "quantize_affine",
]

#: TensorFlow's quantized types, and numpy's that hold them.
QTYPES = {"qint8": "int8", "quint8": "uint8", "qint16": "int16", "quint16": "uint16", "qint32": "int32"}
MODES = ("MIN_COMBINED", "MIN_FIRST", "SCALED")
ROUND_MODES = ("HALF_AWAY_FROM_ZERO", "HALF_TO_EVEN")

_FLOAT32_MAX = np.finfo(np.float32).max
#: The largest float32 that an int32 holds.
_INT32_FLOAT_MAX = np.float32(2147483520.0)
_f32 = np.float32


class Quantized(NamedTuple):
    """What quantize gives: integers [shape of x], and the range that was used (float32, [] or [slices])."""

    output: np.ndarray
    output_min: np.ndarray
    output_max: np.ndarray


@dataclass(frozen=True)
class _Type:
    """An integer type and its limits."""

    name: str

    @property
    def low(self) -> int:
        return int(np.iinfo(self.name).min)

    @property
    def high(self) -> int:
        return int(np.iinfo(self.name).max)

    @property
    def half_range(self) -> np.float32:
        """What moves a signed type's integers to where an unsigned one's are."""
        return _f32((self.high - self.low + 1) / 2 if self.low else 0)

    def cast(self, values: np.ndarray) -> np.ndarray:
        """Whole float32 numbers as integers: beyond int32, its lowest value, as x86 converts them."""
        inside = (values >= -(2.0**31)) & (values < 2.0**31)
        return np.where(inside, values, _f32(-(2.0**31))).astype(np.int64).astype(self.name)


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
    target = _type(dtype)
    _require("mode", mode, MODES)
    _require("round mode", round_mode, ROUND_MODES)
    if round_mode == "HALF_TO_EVEN" and mode != "SCALED":
        raise InvalidInputError(
            "HALF_TO_EVEN exists in mode SCALED only", value=mode, hint="HALF_AWAY_FROM_ZERO"
        )
    _refuse_axis(mode, axis)
    if not ensure_minimum_range >= 0:
        raise InvalidInputError("ensure_minimum_range must be at least 0", value=ensure_minimum_range)
    real = _reals(x)
    low, high = _ranges(min_range, max_range, real, axis, equal=True)
    low, high = _widened(low, high, _f32(ensure_minimum_range))
    with np.errstate(all="ignore"):
        if mode == "MIN_COMBINED":
            values = _min_combined(real, low, high, target)
        elif mode == "MIN_FIRST":
            first = _min_first_onednn if onednn and target.name == "uint8" else _min_first
            values = first(real, low, high, target)
        elif onednn and round_mode == "HALF_TO_EVEN" and target.name in ("int8", "uint8"):
            values, low, high = _scaled_onednn(real, low, high, target)
        else:
            rounding = np.rint if round_mode == "HALF_TO_EVEN" else _round
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
    source = _type(integers.dtype.name)
    _require("mode", mode, MODES)
    _refuse_axis(mode, axis)
    low, high = _ranges(min_range, max_range, integers, axis, equal=True)
    values = integers.astype(np.float32)
    steps = _f32(_f32(source.high) - _f32(source.low))
    with np.errstate(all="ignore"):
        if mode == "MIN_COMBINED":
            real = (values + source.half_range) * ((high - low) / steps) + low
        elif mode == "MIN_FIRST":
            scale = ((high - low).astype(np.float64) / (source.high - source.low)).astype(np.float32)
            start = np.where(high == low, low, _round(low / scale) * scale)
            real = (start - _f32(source.low) * scale) + values * scale
        else:
            scale = high / _f32(source.high)
            if source.low:
                scale = np.maximum(low / _f32(source.low + int(narrow_range)), scale)
            real = values * scale
    return real.astype(np.float32)


def fake_quant_with_min_max_args(
    x: Any, min: float = -6.0, max: float = 6.0, num_bits: int = 8, narrow_range: bool = False
) -> np.ndarray:
    """tf.quantization.fake_quant_with_min_max_args: x, float32, as num_bits (2..16) would hold it.

    The integers go from 0, or with narrow_range from 1, to highest = 2**num_bits - 1.
    scale = (max - min) / (highest - lowest); both ends are nudged, so that 0.0 is one of the integers: the
    zero_point is lowest - min / scale, rounded half away from zero and limited to the integers. The result is
    floor((clamp(x) - min) / scale - zero_steps + 0.5) * scale, of the nudged min.
    Raises InvalidInputError for NaN, min >= max and other num_bits.
    Source: TensorFlow's documentation of FakeQuantWithMinMaxArgs.
    """
    real = _reals(x)
    low, high = _ranges(min, max, real, None, equal=False)
    return _fake_quant(real, low, high, num_bits, narrow_range, divide=False)


def fake_quant_with_min_max_vars(
    x: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False
) -> np.ndarray:
    """tf.quantization.fake_quant_with_min_max_vars: as ..._args; min = max = 0 gives 0 for every x."""
    real = _reals(x)
    low, high = _ranges(min, max, real, None, equal=False, zeros=True)
    return _fake_quant(real, low, high, num_bits, narrow_range, divide=True)


def fake_quant_with_min_max_vars_per_channel(
    x: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False
) -> np.ndarray:
    """tf.quantization.fake_quant_with_min_max_vars_per_channel: a range for each index of the last axis."""
    real = _reals(x)
    if real.ndim == 0:
        raise InvalidInputError("a tensor with channels has at least one axis", value="a scalar")
    low, high = _ranges(min, max, real, real.ndim - 1, equal=False, zeros=True)
    return _fake_quant(real, low, high, num_bits, narrow_range, divide=False)


def quantize_affine(
    x: Any,
    scale: Any,
    zero_point: Any = 0,
    dtype: Any = "int8",
    axis: int | None = None,
    narrow_range: bool = False,
) -> np.ndarray:
    """Integers q of real numbers: round(x / scale) + zero_point, halves away from zero, limited to the type.

    scale > 0, zero_point: one number each; with axis, one for each index of that axis. The division is
    float32's, as the QUANTIZE operator's is. dtype: int8, uint8, int16, uint16 or int32. narrow_range:
    without the lowest integer, as the specification has weights: [-127, 127].
    Raises InvalidInputError for NaN, a scale that is not positive and finite, a zero_point outside the type.
    Source: LiteRT 8-bit quantization specification.
    """
    target = _type(dtype)
    real = _reals(x)
    step, zero = _affine(scale, zero_point, target, real, axis)
    with np.errstate(over="ignore"):
        quotient = (real / step).astype(np.float64)
    q = np.clip(_round(quotient), -(2.0**40), 2.0**40) + zero
    return np.clip(q, target.low + int(narrow_range), target.high).astype(target.name)


def dequantize_affine(q: Any, scale: Any, zero_point: Any = 0, axis: int | None = None) -> np.ndarray:
    """Real numbers, float32: scale * (q - zero_point). q: integers; the rest as for quantize_affine."""
    integers = np.asarray(q)
    step, zero = _affine(scale, zero_point, _type(integers.dtype.name), integers, axis)
    return ((integers.astype(np.int64) - zero).astype(np.float32) * step).astype(np.float32)


def _widened(low: np.ndarray, high: np.ndarray, least: np.float32) -> tuple[np.ndarray, np.ndarray]:
    """The range with 0 in it, and not too narrow."""
    room = np.maximum(_f32(1), np.maximum(np.abs(low), np.abs(high))) * least
    wide_low = np.minimum(_f32(0), low)
    return wide_low, np.maximum(_f32(0), np.maximum(high, wide_low + room))


def _min_combined(x: np.ndarray, low: np.ndarray, high: np.ndarray, target: _Type) -> np.ndarray:
    scale = ((target.high - target.low) / (high - low).astype(np.float64)).astype(np.float32)
    steps = (np.maximum(np.minimum(x, high), low) - low) * scale
    return _round(steps - target.half_range) if target.low else np.trunc(steps + _f32(0.5))


def _min_first(x: np.ndarray, low: np.ndarray, high: np.ndarray, target: _Type) -> np.ndarray:
    scale = ((target.high - target.low) / (high - low).astype(np.float64)).astype(np.float32)
    scale = np.where(high == low, _f32(0), scale)
    steps = _round(x * scale) - (_round(low * scale) - _f32(target.low))
    return np.minimum(np.maximum(steps, _f32(target.low)), np.minimum(_f32(target.high), _INT32_FLOAT_MAX))


def _min_first_onednn(x: np.ndarray, low: np.ndarray, high: np.ndarray, target: _Type) -> np.ndarray:
    scale = ((target.high - target.low) / (high - low).astype(np.float64)).astype(np.float32)
    return np.clip(np.rint(x * scale - low * scale), target.low, target.high)


def _scaled(
    x: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    target: _Type,
    narrow_range: bool,
    rounding: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ends = _f32(target.low + int(narrow_range)), _f32(target.high)
    sides = [np.where(q * end > 0, q / end, _FLOAT32_MAX) for q, end in zip(ends, (low, high), strict=True)]
    scale = np.minimum(*sides)
    low, high = (_without_subnormal(end / scale) for end in ends)
    return rounding(np.maximum(np.minimum(x, high), low) * scale), low, high


def _without_subnormal(value: np.ndarray) -> np.ndarray:
    return np.where(np.abs(value) < np.finfo(np.float32).tiny, _f32(0), value)


def _scaled_onednn(
    x: np.ndarray, low: np.ndarray, high: np.ndarray, target: _Type
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    largest = np.maximum(np.abs(low), np.abs(high))
    scale = _f32(127.5 if target.low else 255) / largest
    q = np.clip(np.rint(x * scale), target.low, target.high)
    return q, (-largest if target.low else np.zeros_like(largest)), largest


def _fake_quant(
    x: np.ndarray, low: np.ndarray, high: np.ndarray, num_bits: int, narrow_range: bool, divide: bool
) -> np.ndarray:
    """divide: by the scale, as vars does; else multiply by its inverse, as args and per_channel do."""
    if num_bits not in range(2, 17):
        raise InvalidInputError("num_bits must be between 2 and 16", value=num_bits)
    lowest, highest = _f32(int(narrow_range)), _f32(2**num_bits - 1)
    nothing = (low == 0) & (high == 0)
    with np.errstate(all="ignore"):
        scale, inverse = (high - low) / (highest - lowest), (highest - lowest) / (high - low)
        from_min = lowest - low / scale
        zero_point = np.where(
            from_min < lowest, lowest, np.where(from_min > highest, highest, _round(from_min))
        )
        low, high = (lowest - zero_point) * scale, (highest - zero_point) * scale
        zero_steps = np.floor(-low * inverse + _f32(0.5))
        shifted = np.maximum(np.minimum(x, high), low) - low
        steps = shifted / scale if divide else shifted * inverse
        y = np.floor(steps - zero_steps + _f32(0.5)) * scale
    return np.where(nothing, _f32(0), y).astype(np.float32)


def _round(values: np.ndarray) -> np.ndarray:
    """The nearest whole numbers, halves away from zero, in the type of the values."""
    whole = np.trunc(values)
    with np.errstate(invalid="ignore"):  # infinity less itself: no half
        return whole + np.copysign(np.abs(values - whole) >= 0.5, values).astype(values.dtype)


def _reals(x: Any) -> np.ndarray:
    real = np.asarray(x)
    if real.dtype.kind not in "iuf":
        raise InvalidInputError("what is quantized must be numbers", value=f"dtype {real.dtype}")
    if np.isnan(real).any():
        raise InvalidInputError("what is quantized must not be NaN", value=f"{np.isnan(real).sum()} NaN")
    return real.astype(np.float32)


def _type(dtype: Any) -> _Type:
    """From "qint8", "int8", np.int8 or tf.qint8, whose `name` is "qint8"."""
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None) or np.dtype(dtype).name
    name = QTYPES.get(name, name)
    _require("type", name, tuple(QTYPES.values()))
    return _Type(name)


def _require(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidInputError(f"the {what} must be a known one", value=value, hint=", ".join(known))


def _refuse_axis(mode: str, axis: int | None) -> None:
    if mode == "MIN_FIRST" and axis is not None:
        raise InvalidInputError("MIN_FIRST has one range for the whole tensor", value=f"axis {axis}")


def _ranges(
    low: Any, high: Any, x: np.ndarray, axis: int | None, *, equal: bool, zeros: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Both as float32, shaped to be used with x. equal: they may be the same; zeros: if they are 0."""
    pair = [_along(value, x, axis, name) for value, name in ((low, "min"), (high, "max"))]
    if not all(np.isfinite(part).all() for part in pair):
        raise InvalidInputError("a range must be finite", value=f"{low}..{high}")
    fine = pair[0] <= pair[1] if equal else pair[0] < pair[1]
    if zeros:
        fine |= (pair[0] == 0) & (pair[1] == 0)
    if not fine.all():
        rule = "not be above" if equal else "be below"
        raise InvalidInputError(f"a range's min must {rule} its max", value=f"{low}..{high}")
    return pair[0], pair[1]


def _affine(
    scale: Any, zero_point: Any, target: _Type, x: np.ndarray, axis: int | None
) -> tuple[np.ndarray, np.ndarray]:
    step, zero = _along(scale, x, axis, "scale"), np.asarray(zero_point)
    if not (np.isfinite(step) & (step > 0)).all():
        raise InvalidInputError("a scale must be positive and finite", value=scale)
    if zero.dtype.kind not in "iu" or (zero < target.low).any() or (zero > target.high).any():
        raise InvalidInputError(f"a zero_point must be an integer of {target.name}", value=zero_point)
    if zero.ndim:
        zero = _along(zero, x, axis, "zero_point", np.int64)
    return step, zero.astype(np.int64)


def _along(value: Any, x: np.ndarray, axis: int | None, what: str, dtype: Any = np.float32) -> np.ndarray:
    """One number, or one for each index of the axis, shaped to be used with x."""
    values = np.asarray(value, dtype)
    if axis is None:
        if values.size != 1:
            raise InvalidInputError(f"{what} must be one number where there is no axis", value=values.shape)
        return values.reshape(())
    if not -x.ndim <= axis < x.ndim:
        raise InvalidInputError(f"the axis must be one of the {x.ndim} that there are", value=axis)
    if values.shape != (x.shape[axis],):
        raise InvalidInputError(
            f"{what} must be one number for each of the {x.shape[axis]} indices of axis {axis}",
            value=values.shape,
        )
    return values.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
