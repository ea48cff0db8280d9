"""logistic and tanh of int16: one table of sigmoids that both interpolate in. ARITHMETIC section 12."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

#: How far the table reaches, and from where on the functions are at their limits.
ENTRIES = 256


@cache
def sigmoid_table() -> np.ndarray:
    """sigmoid(i / 24) in Q0.16 for i = 0..255, int64 [256]: TFLM's sigmoid_table_uint16 (common.h).

    Half of what a straight line between two neighbours misses in its middle is added to each, so that the
    line errs as much above as below. The last is the limit.
    """
    exact = [65536.0 / (1.0 + math.exp(-i / 48.0)) for i in range(2 * ENTRIES + 1)]
    ends, middles = np.array(exact[::2]), np.array(exact[1::2])
    missed = middles - (ends[:-1] + ends[1:]) / 2
    table = np.floor(ends[:-1] + missed / 2 + 0.5).astype(np.int64)
    table[-1] = 65535
    return table


def input_scaling(scale: float, exact: tuple[int, ...]) -> tuple[int, int]:
    """(multiplier, shift): an input times multiplier >> shift counts in steps of 1 / 12288.

    Scales near 2**e, for the exponents e in `exact`, count as that power (TFLM's preparation of logistic and
    of tanh). Others get a multiplier of up to 15 bits.
    """
    exponent = np.float32(math.log2(scale))
    nearest = round(float(exponent))
    if nearest in exact and abs(exponent - np.float32(nearest)) < np.float32(1e-3):
        return 3 << (12 + nearest), 0
    multiplier, shift = scale * 4096.0 * 3.0, 0
    while multiplier <= 32767.0 / 2.0 and shift <= 30:
        multiplier, shift = multiplier * 2.0, shift + 1
    return int(multiplier), shift
