"""The gates of recurrent layers in integers: int16 sums in steps of 2**-12, activations in Q0.15."""

from __future__ import annotations

from mcu_quant.fixed_point import INT16_MAX, INT16_MIN, IntArray, saturate
from mcu_quant.ops.logistic import OPERATOR as LOGISTIC
from mcu_quant.ops.tanh import OPERATOR as TANH

#: What a gate's sum counts in.
GATE_SCALE = 2.0**-12
#: Steps of the tables' argument (1 / 12288) in a step of a gate's sum.
_TABLE_STEPS = 3


def gate_sigmoid(x: IntArray) -> IntArray:
    """Q0.15 in 1..32767, from a sum that is limited to int16. ARITHMETIC section 12."""
    return LOGISTIC.interpolated(_TABLE_STEPS * saturate(x, INT16_MIN, INT16_MAX))


def gate_tanh(x: IntArray) -> IntArray:
    """Q0.15 in -32767..32767, from a sum that is limited to int16. ARITHMETIC section 12."""
    return TANH.interpolated(_TABLE_STEPS * saturate(x, INT16_MIN, INT16_MAX))


def q15_product(a: IntArray, b: IntArray) -> IntArray:
    """a * b / 2**15, halves up. |a * b| < 2**31 - 2**14."""
    return (a * b + (1 << 14)) >> 15
