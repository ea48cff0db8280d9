"""A sum of two int8 tensors by two tables, proven for all pairs of bytes.

    output = clamp(((first[a] + second[b]) >> shift) + origin)

The tables hold the operands in 2**-shift of the output's scale, zero_points and rounding included. Each
pair of bytes bounds the sum of their entries from both sides, by the reference's output; entries start
as the rounded operands and are moved into their bounds, one table after the other, until all hold. The
reference rounds halves away from zero and a shift rounds down: that is what has to be mended.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, INT32_MAX, IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.add import scaled_operands, sum_multipliers
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.binary import BinaryOperator

#: A little more than the operands: then most halves fall to the right side at once.
_STRETCH = 1 + 2.0**-20
_ROUNDS = 16
#: Beyond every sum.
_FREE = 2**40
_BYTES = np.arange(INT8_MIN, INT8_MAX + 1, dtype=np.int8)


@dataclass(frozen=True, eq=False)
class SumTables:
    """first, second: int32 [256], by operand bytes as uint8. lowest, highest: of the sum >> shift,
    or 0."""

    first: np.ndarray
    second: np.ndarray
    shift: int
    origin: int
    lowest: int
    highest: int
    activation_min: int
    activation_max: int


@lru_cache(maxsize=128)
def fit_sum_tables(node: BoundNode) -> SumTables | None:
    """For an add or sub node of int8; None if no tables are found that give all of its bytes."""
    operator = OPERATORS[node.node.op]
    assert isinstance(operator, BinaryOperator)
    expected = operator.integer(node, _BYTES[:, None], _BYTES[None, :]).astype(np.int64)
    a, b = _operands(node)
    shift = min(22, int(np.floor(np.log2(2**31 / (np.abs(a).max() + np.abs(b).max() + 256)))))
    low, high = activation_range(node.attrs.activation, node.output)
    origin = node.output.zero_point
    least = np.where(expected == low, -_FREE, (expected - origin) << shift)
    most = np.where(expected == high, _FREE, ((expected - origin + 1) << shift) - 1)
    unit = 2.0**shift * _STRETCH
    first = np.rint(a * unit).astype(np.int64)
    second = np.rint(b * unit).astype(np.int64) + (1 << shift >> 1)
    for _ in range(_ROUNDS):
        first = _into(first, (least - second).max(axis=1), (most - second).min(axis=1))
        second = _into(second, (least.T - first).max(axis=1), (most.T - first).min(axis=1))
    sums = (first[:, None] + second[None, :]) >> shift
    fits = np.abs(first).max() + np.abs(second).max() <= INT32_MAX
    if not fits or (np.clip(sums + origin, low, high) != expected).any():
        return None
    lowest, highest = min(int(sums.min()), 0), max(int(sums.max()), 0)
    return SumTables(_by_byte(first), _by_byte(second), shift, origin, lowest, highest, low, high)


def _by_byte(table: IntArray) -> np.ndarray:
    """From -128...127 to the order of bytes as uint8."""
    return np.roll(table, 128).astype(np.int32)


def _into(values: IntArray, low: IntArray, high: IntArray) -> IntArray:
    """The nearest in [low, high], the middle where that is empty."""
    return np.where(low <= high, np.clip(values, low, high), (low + high) >> 1)


def _operands(node: BoundNode) -> tuple[np.ndarray, np.ndarray]:
    """Every value of both operands in the output's scale, float64 [256]."""
    multipliers = sum_multipliers(node)
    values: list[IntArray] = [_BYTES.astype(np.int64) - node.input(i).zero_point for i in (0, 1)]
    first, second = scaled_operands(node, *values)
    multiplier, exponent = multipliers.output
    ratio = multiplier * 2.0 ** (exponent - 31)
    return first * ratio, second * ratio * (-1 if node.node.op == "sub" else 1)
