"""Activations that are quantized on the fly, for sums with int8 weights. ARITHMETIC section 14.

LiteRT's arithmetic, but in float32 throughout, where LiteRT forms scale and zero_point in double: no core of
ours has double in hardware. And the same operations in the same order give the C the same bits.
"""

from __future__ import annotations

import numpy as np


def quantize_rows(x: np.ndarray, asymmetric: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(q int8 [rows, n], scale float32 [rows, 1], zero_point int32 [rows, 1]) of x, float32 [rows, n].

    asymmetric: the range from the smallest to the largest value, widened to hold 0, in 255 steps; else
    the largest magnitude in 127 steps, and zero_point 0. A row of nothing but 0 has scale 1.
    C twin: mq_hybrid_quantize.
    """
    low = np.minimum(x.min(axis=1, keepdims=True), np.float32(0))
    high = np.maximum(x.max(axis=1, keepdims=True), np.float32(0))
    with np.errstate(all="ignore"):  # what is not finite has a defined result in C, too
        natural = (high - low) / np.float32(255) if asymmetric else np.maximum(-low, high) / np.float32(127)
        scale = np.where(low == high, np.float32(1), natural).astype(np.float32)
        zero_point = np.zeros(scale.shape, np.int32)
        if asymmetric:
            zero_point = np.where(low == high, 0, _zero_point(low, high, scale)).astype(np.int32)
        inverse = np.float32(1) / scale
        q = _rounded(x * inverse + zero_point.astype(np.float32))
    return q.astype(np.int8), scale, zero_point


def _zero_point(low: np.ndarray, high: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """From the end of the range that is nearer to 0, where the quotient is the more exact one."""
    from_low, from_high = -low / scale, high / scale
    is_low = np.float32(128) + from_low < np.float32(127) + from_high
    return _rounded(np.where(is_low, from_low - np.float32(128), np.float32(127) - from_high))


def _rounded(x: np.ndarray) -> np.ndarray:
    """int32: halves away from zero, limited to int8; NaN gives -128. All in float32."""
    limited = np.clip(np.where(np.isnan(x), np.float32(-128), x), np.float32(-128), np.float32(127))
    return np.trunc(limited + np.copysign(np.float32(0.5), limited)).astype(np.int32).clip(-128, 127)
