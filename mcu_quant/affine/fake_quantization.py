"""tf.quantization.fake_quant_with_min_max_*."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcu_quant.affine.operands import f32, real_numbers, real_ranges, round_half_away
from mcu_quant.errors import InvalidInputError


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
    real = real_numbers(x)
    low, high = real_ranges(min, max, real, None, equal=False)
    return _fake_quant(real, low, high, num_bits, narrow_range, divide=False)


def fake_quant_with_min_max_vars(
    x: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False
) -> np.ndarray:
    """tf.quantization.fake_quant_with_min_max_vars: as ..._args; min = max = 0 gives 0 for every x."""
    real = real_numbers(x)
    low, high = real_ranges(min, max, real, None, equal=False, zeros=True)
    return _fake_quant(real, low, high, num_bits, narrow_range, divide=True)


def fake_quant_with_min_max_vars_per_channel(
    x: Any, min: Any, max: Any, num_bits: int = 8, narrow_range: bool = False
) -> np.ndarray:
    """tf.quantization.fake_quant_with_min_max_vars_per_channel: a range for each index of the last axis."""
    real = real_numbers(x)
    if real.ndim == 0:
        raise InvalidInputError("a tensor with channels has at least one axis", value="a scalar")
    low, high = real_ranges(min, max, real, real.ndim - 1, equal=False, zeros=True)
    return _fake_quant(real, low, high, num_bits, narrow_range, divide=False)


def _fake_quant(
    x: np.ndarray, low: np.ndarray, high: np.ndarray, num_bits: int, narrow_range: bool, divide: bool
) -> np.ndarray:
    """divide: by the scale, as vars does; else multiply by its inverse, as args and per_channel do."""
    if num_bits not in range(2, 17):
        raise InvalidInputError("num_bits must be between 2 and 16", value=num_bits)
    lowest, highest = f32(int(narrow_range)), f32(2**num_bits - 1)
    nothing = (low == 0) & (high == 0)
    with np.errstate(all="ignore"):
        scale, inverse = (high - low) / (highest - lowest), (highest - lowest) / (high - low)
        from_min = lowest - low / scale
        zero_point = np.where(
            from_min < lowest, lowest, np.where(from_min > highest, highest, round_half_away(from_min))
        )
        low, high = (lowest - zero_point) * scale, (highest - zero_point) * scale
        zero_steps = np.floor(-low * inverse + f32(0.5))
        shifted = np.maximum(np.minimum(x, high), low) - low
        steps = shifted / scale if divide else shifted * inverse
        y = np.floor(steps - zero_steps + f32(0.5)) * scale
    return np.where(nothing, f32(0), y).astype(np.float32)
