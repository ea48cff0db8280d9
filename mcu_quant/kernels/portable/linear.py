"""Tables that the portable convolution and fully connected kernels share."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Constant
from mcu_quant.ops.linear import channel_multipliers


def channel_tables(node: BoundNode) -> tuple[Constant, Constant, Constant, Constant]:
    """weights int8, and for each output channel: bias int32, multiplier int32, shift int8."""
    weights, bias = node.input(1), node.optional_input(2)
    assert weights.data is not None
    multiplier, shift = channel_multipliers(node)
    bias_data = np.zeros(len(shift), np.int32) if bias is None or bias.data is None else bias.data
    return (
        Constant("weights", weights.data),
        Constant("bias", bias_data),
        Constant("multiplier", multiplier.astype(np.int32)),
        Constant("shift", shift.astype(np.int8)),
    )
