"""Tables that the portable convolution and fully connected kernels share."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Constant
from mcu_quant.ops.linear import channel_multipliers


def folded_bias(node: BoundNode, weights: np.ndarray) -> Constant:
    """bias[c] - zero_point(input) * sum_k weights[c, k], mod 2**32. ARITHMETIC section 5.

    weights: int8 [channels, taps]. Exact where padding reads the input's zero_point.
    """
    bias = node.optional_input(2)
    total = -node.input(0).zero_point * weights.astype(np.int64).sum(axis=1)
    if bias is not None and bias.data is not None:
        total = total + bias.data.astype(np.int64)
    return Constant("bias", wrap_int32(total).astype(np.int32))


def requantization_tables(node: BoundNode) -> tuple[Constant, Constant]:
    """multiplier int32 [channels] and shift int8 [channels]."""
    multiplier, shift = channel_multipliers(node)
    return Constant("multiplier", multiplier.astype(np.int32)), Constant("shift", shift.astype(np.int8))
