"""softmax of int16: exponentials and reciprocals are read from two tables of 513. ARITHMETIC section 12."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from mcu_quant.fixed_point import INT16_MAX, INT16_MIN, IntArray, quantize_multiplier, requantize, saturate
from mcu_quant.ir import BoundNode

#: Intervals of a table; 128 inputs each.
_STEPS = 512
_INTERVAL_BITS = 7
#: Exponentials are known for differences from -10 to 0, reciprocals 1 / (1 + x) for x from 0 to 1.
_LARGEST_DIFFERENCE, _INPUTS = 10.0, 65535
#: More terms of at most 2**15 could leave int32.
MOST_ELEMENTS = 2**16 - 1


def difference_ratio(node: BoundNode) -> float:
    """From differences of logits to steps of the table of exponentials, in double."""
    beta = float(np.float32(node.attrs.beta))
    return node.input(0).scale * beta / (_LARGEST_DIFFERENCE / _INPUTS)


def run_int16(node: BoundNode, x: np.ndarray) -> np.ndarray:
    """[..., C] int16 to the same: probabilities in steps of 1 / 32768."""
    wide = x.astype(np.int64)
    difference = wide - wide.max(axis=-1, keepdims=True)
    steps = requantize(difference, *quantize_multiplier(difference_ratio(node))) + INT16_MAX
    exponentials = look_up(exponential_table(), saturate(steps, INT16_MIN, INT16_MAX))
    total = exponentials.sum(axis=-1, keepdims=True)
    headroom = 32 - np.frexp(total.astype(np.float64))[1].astype(np.int64)
    normalized = (((total << (headroom - 1)) + (1 << 13)) >> 14) - (1 << 15) - (1 << 16)
    reciprocal = look_up(reciprocal_table(), saturate(normalized, INT16_MIN, INT16_MAX))
    y = (exponentials * reciprocal + (1 << (30 - headroom))) >> (31 - headroom)
    return saturate(y, 0, INT16_MAX).astype(np.int16)


def look_up(table: np.ndarray, v: IntArray) -> IntArray:
    """Between two entries on a straight line, halves up. v: int16 values."""
    entry = (v >> _INTERVAL_BITS) + _STEPS // 2
    wide = table.astype(np.int64)
    slope = wide[entry + 1] - wide[entry]
    return wide[entry] + ((slope * (v & 127) + 64) >> _INTERVAL_BITS)


@cache
def exponential_table() -> np.ndarray:
    """exp of -10 to 0, int16 [513], in Q0.15."""
    return _table(np.exp, _LARGEST_DIFFERENCE, INT16_MAX)


@cache
def reciprocal_table() -> np.ndarray:
    """1 / (1 + x) for x of 0 to 1, int16 [513], in Q0.15."""
    return _table(lambda x: 1.0 / (1.0 + x), 1.0, INT16_MIN)


def _table(function: Callable[[np.float32], np.float32], width: float, zero_point: int) -> np.ndarray:
    """TFLM's LUTPopulate for int16 (common.h): all in float32, roundings half away from zero.

    The inputs are float32(width / 65535) * (v - zero_point). Half of what a straight line misses in an
    interval's middle is taken from its first entry.
    """
    f32 = np.float32
    scale, output_scale = f32(width / _INPUTS), f32(2.0 / _INPUTS)
    first, last = scale * f32(INT16_MIN - zero_point), scale * f32(INT16_MAX - zero_point)
    step = (last - first) / f32(_STEPS)
    inverse = f32(2**16) / (output_scale * f32(INT16_MAX) - output_scale * f32(INT16_MIN))
    table = np.empty(_STEPS + 1, np.int16)
    for i in range(_STEPS):
        start = first + f32(i) * step
        here = f32(function(start)) * inverse
        middle = _round(f32(function(start + step / f32(2))) * inverse)
        following = f32(function(first + f32(i + 1) * step)) * inverse
        error = _round((following + _round(here)) / f32(2)) - middle
        table[i] = np.clip(_round(here) - _round(error / f32(2)), INT16_MIN, INT16_MAX)
    table[_STEPS] = np.clip(_round(f32(function(last)) * inverse), INT16_MIN, INT16_MAX)
    return table


def _round(x: np.float32) -> np.float32:
    return np.float32(np.copysign(np.floor(np.abs(np.float64(x)) + 0.5), x))
