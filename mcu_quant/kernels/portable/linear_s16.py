"""What the kernels for int16 activations and int8 weights share: tables, and what is proven of sums."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, INT32_MIN, reduced_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Constant, Core
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.linear import accumulator_range, channel_multipliers, sums_in_int64


def channel_tables(node: BoundNode) -> tuple[Constant, Constant, Constant, Constant]:
    """weights int8, and for each output channel: bias (one or two words), multiplier int32, shift int8."""
    weights = node.input(1)
    assert weights.data is not None
    multiplier, shift = channel_multipliers(node)
    if sums_in_int64(node):
        multiplier = reduced_multiplier(multiplier)
    return (
        Constant("weights", weights.data),
        Constant("bias", bias_words(node)),
        Constant("multiplier", multiplier.astype(np.int32)),
        Constant("shift", shift.astype(np.int8)),
    )


def sum_params(node: BoundNode) -> Params:
    """is_int64, narrow, bias_words: how the kernels sum."""
    return {
        "is_int64": int(sums_in_int64(node)),
        "narrow": int(is_narrow(node)),
        "bias_words": len(bias_words(node)) // node.output.shape[-1],
    }


def is_narrow(node: BoundNode) -> bool:
    """Whether sums modulo 2**32 are enough: in the end they fit int32 without the bias, or are to wrap."""
    if not sums_in_int64(node):
        return True
    low, high = (end - _bias(node) for end in accumulator_range(node))
    return bool(low.min() >= INT32_MIN and high.max() <= INT32_MAX)


def linear_s16_cycles(node: BoundNode, core: Core) -> float:
    """Not fitted: there is one kernel for each such node on a core without DSP instructions."""
    return 10.0 * OPERATORS[node.node.op].macs(node) + 60.0 * node.output.elements


def _bias(node: BoundNode) -> np.ndarray:
    """int64 [channels]."""
    bias = node.optional_input(2)
    if bias is None or bias.data is None:
        return np.zeros(node.output.shape[-1], np.int64)
    return bias.data.astype(np.int64)


def bias_words(node: BoundNode) -> np.ndarray:
    """int32: [channels] if all of them fit, else [2 * channels], the lower word of each first."""
    return as_words(_bias(node))


def as_words(bias: np.ndarray) -> np.ndarray:
    """int64 as int32: of that shape if all fit, else twice as many along the last axis, lower words first."""
    if bias.min() >= INT32_MIN and bias.max() <= INT32_MAX:
        return bias.astype(np.int32)
    return np.ascontiguousarray(bias).astype("<i8").view("<i4").astype(np.int32)
