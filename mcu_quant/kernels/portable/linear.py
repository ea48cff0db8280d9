"""Tables that the portable convolution and fully connected kernels share."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Constant, Core
from mcu_quant.ops import OPERATORS
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


#: Modelled cycles of a product and of an output: depthwise, and the others. Fitted to counts of the
#: published models on Cortex-M3 and M4; on Thumb-1 cores to those on M0+.
_CYCLES = {"armv7m": (13.0, 5.0, 40.0), "thumb1": (14.0, 10.0, 60.0)}


def linear_cycles(node: BoundNode, core: Core) -> float:
    """Modelled cycles of a portable kernel that multiplies with weights."""
    depthwise, other, output = _CYCLES["thumb1" if "thumb1" in core.families else "armv7m"]
    product = depthwise if node.node.op == "depthwise_conv_2d" else other
    return product * OPERATORS[node.node.op].macs(node) + output * node.output.elements
