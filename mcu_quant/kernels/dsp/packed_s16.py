"""Weights and constants for int16 activations and the DSP extension: what convolution and dense share.

A word has the weights of two channels for a pair of elements k, k + 1: bytes (a[k], b[k], a[k+1], b[k+1]).
SXTB16 makes of it the pair of channel a, and turned by a byte that of b; SMLAD multiplies with the pair of
activations as it lies in memory. Sums are modulo 2**32.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, INT32_MIN, IntArray, reduced_multiplier
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Constant
from mcu_quant.kernels.dsp.linear import padded
from mcu_quant.kernels.portable.linear_s16 import bias_words, is_narrow
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.linear import accumulator_range, channel_multipliers, sums_in_int64

#: Elements that a turn of the inner loops takes.
TURN = 4
#: How far requantize_int64 may shift to the right to be one SMMULR, of a multiplier below 2**31.
_SHORT = range(17, 33)


@dataclass(frozen=True, eq=False)
class PackedS16:
    """multiplier, shift: int64 [channels], for mq_s16_output, or one Q0.32 number each where is_short."""

    node: BoundNode
    is_short: bool
    multiplier: IntArray
    shift: IntArray

    def blocks(self, block: int) -> np.ndarray:
        """int32 words: for each `block` channels, for each pair of elements, block / 2 words."""
        return weight_blocks(self.node, block)

    def constants(self) -> tuple[Constant, Constant, Constant]:
        """bias, multiplier, shift: of each channel; shift is one 0 where is_short."""
        shift = np.zeros(1, np.int64) if self.is_short else self.shift
        return (
            Constant("bias", bias_words(self.node)),
            Constant("multiplier", self.multiplier.astype(np.int32)),
            Constant("shift", shift.astype(np.int8)),
        )

    def params(self) -> Params:
        """How accumulators become outputs."""
        low, high = activation_range(self.node.attrs.activation, self.node.output)
        return {
            "is_short": int(self.is_short),
            "is_int64": int(sums_in_int64(self.node)),
            "bias_words": len(bias_words(self.node)) // self.node.output.shape[-1],
            "activation_min": low,
            "activation_max": high,
        }


@lru_cache(maxsize=16)
def packed_s16(node: BoundNode) -> PackedS16:
    multiplier, shift = channel_multipliers(node)
    if not sums_in_int64(node):
        return PackedS16(node, False, multiplier, shift)
    reduced, right = reduced_multiplier(multiplier), 15 - shift
    if set(right.tolist()) <= set(_SHORT) and _fits_int32(node):
        return PackedS16(node, True, reduced << (32 - right), shift)
    return PackedS16(node, False, reduced, shift)


def weight_blocks(node: BoundNode, block: int) -> np.ndarray:
    """int32 words: for each `block` channels, for each pair of elements, block / 2 words."""
    weights = node.input(1).data
    assert weights is not None
    rows = weights.reshape(len(weights), -1)
    channels, elements = padded(rows.shape[0], block), padded(rows.shape[1], TURN)
    rows = np.pad(rows, ((0, channels - rows.shape[0]), (0, elements - rows.shape[1])))
    # [blocks, channel pairs, a or b, element pairs, which of them] to words in the order of the loop
    parts = rows.reshape(-1, block // 2, 2, elements // 2, 2).transpose(0, 3, 1, 4, 2)
    return np.ascontiguousarray(parts).reshape(-1, 4).view("<i4").astype(np.int32).reshape(-1)


def refusal_s16(node: BoundNode) -> str | None:
    """Why the family's kernels do not compute a node's sums."""
    return None if is_narrow(node) else "sums must be proven to fit int32"


def _fits_int32(node: BoundNode) -> bool:
    """Whether accumulators do, their bias included."""
    low, high = accumulator_range(node)
    bias = node.optional_input(2)
    inside = bias is None or bias.data is None or np.abs(bias.data.astype(np.float64)).max() <= INT32_MAX
    return bool(inside and low.min() >= INT32_MIN and high.max() <= INT32_MAX)
