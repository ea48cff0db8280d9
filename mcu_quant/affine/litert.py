"""The affine primitives of the LiteRT 8-bit quantization specification."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcu_quant.affine.operands import IntegerType, along_axis, integer_type, real_numbers, round_half_away
from mcu_quant.errors import InvalidInputError


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
    target = integer_type(dtype)
    real = real_numbers(x)
    step, zero = _affine(scale, zero_point, target, real, axis)
    with np.errstate(over="ignore"):
        quotient = (real / step).astype(np.float64)
    q = np.clip(round_half_away(quotient), -(2.0**40), 2.0**40) + zero
    return np.clip(q, target.low + int(narrow_range), target.high).astype(target.name)


def dequantize_affine(q: Any, scale: Any, zero_point: Any = 0, axis: int | None = None) -> np.ndarray:
    """Real numbers, float32: scale * (q - zero_point). q: integers; the rest as for quantize_affine."""
    integers = np.asarray(q)
    step, zero = _affine(scale, zero_point, integer_type(integers.dtype.name), integers, axis)
    return ((integers.astype(np.int64) - zero).astype(np.float32) * step).astype(np.float32)


def _affine(
    scale: Any, zero_point: Any, target: IntegerType, x: np.ndarray, axis: int | None
) -> tuple[np.ndarray, np.ndarray]:
    step, zero = along_axis(scale, x, axis, "scale"), np.asarray(zero_point)
    if not (np.isfinite(step) & (step > 0)).all():
        raise InvalidInputError("a scale must be positive and finite", value=scale)
    if zero.dtype.kind not in "iu" or (zero < target.low).any() or (zero > target.high).any():
        raise InvalidInputError(f"a zero_point must be an integer of {target.name}", value=zero_point)
    if zero.ndim:
        zero = along_axis(zero, x, axis, "zero_point", np.int64)
    return step, zero.astype(np.int64)
