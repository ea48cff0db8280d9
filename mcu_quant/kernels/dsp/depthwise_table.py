"""A depthwise convolution's constants: for each channel its requantization and its weights in pairs.

Accumulators are kept scaled by 2^scaling, which weights and bias carry. Three forms, by preference:
1. requantization.ShortRequantization: one shift for all channels, constants proved by thresholds.
2. Where outputs below zero_point are clamped to it, and the channels' shifts are too far apart:
       ((accumulator * 2^scaling * multiplier >> 32) + addend) >> own shift
   with one fractional bit to round with; halves of negative numbers do not matter.
3. The same with scaling 1, the product rounded, and 1 less for negative accumulators: their halves
   round down (ARITHMETIC section 2).
Channels with but one output for all inputs that they can have take part with weights of 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, IntArray, requantize, wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.dsp.depthwise_geometry import Geometry
from mcu_quant.kernels.dsp.depthwise_outputs import Requantization, filter_words
from mcu_quant.kernels.dsp.requantization import short_requantization
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.linear import accumulator_range, channel_multipliers

#: int8 weights scaled by 2**8 are int16.
_SCALE_BITS = 8


@dataclass(frozen=True, eq=False)
class ChannelConstants:
    """int64 [channels] each. scaling: bits by which weights and bias are shifted left.

    bias: less what a form takes from it, unscaled. shift, step: of the forms that have them.
    """

    bias: IntArray
    addend: IntArray
    multiplier: IntArray
    shift: IntArray
    step: IntArray
    scaling: IntArray
    is_fixed: np.ndarray


@lru_cache(maxsize=64)
def requantization(node: BoundNode) -> tuple[Requantization, ChannelConstants] | None:
    """How this node's accumulators become outputs; None if no form is exact."""
    low, high = activation_range(node.attrs.activation, node.output)
    short = short_requantization(node, _SCALE_BITS)
    if short is not None:
        how = Requantization(
            short.shift,
            short.has_steps,
            False,
            -128 if short.low is None else short.low,
            127 if short.high is None else short.high,
        )
        scaling = np.full(len(short.addend), _SCALE_BITS, np.int64)
        bias, shift = _bias(node) - short.center, np.full(len(scaling), short.shift)
        return how, ChannelConstants(
            bias, short.addend, short.multiplier, shift, short.step, scaling, short.is_constant
        )
    clamped = low >= node.output.zero_point
    constants = _own_shifts(node, fraction=int(clamped))
    if not _is_exact(node, constants):
        return None
    return Requantization(None, False, not clamped, low, high), constants


def _bias(node: BoundNode) -> IntArray:
    bias = node.optional_input(2)
    if bias is None or bias.data is None:
        return np.zeros(node.output.shape[-1], np.int64)
    return bias.data.astype(np.int64)


def _own_shifts(node: BoundNode, fraction: int) -> ChannelConstants:
    """fraction: how many fractional bits a product has that is to be rounded: 1, or 0 if it is already."""
    multiplier, shift = channel_multipliers(node)
    is_fixed, value = _fixed_outputs(node)
    right, left = np.maximum(-shift, 0), np.maximum(shift, 0)
    total = np.where(is_fixed, 1, right + fraction)
    half = np.where(right > 0, 1 << np.maximum(total - 1, 0), 0) + fraction
    addend = np.where(is_fixed, value << total, half + (node.output.zero_point << total))
    multiplier = np.where(is_fixed, 0, multiplier)
    scaling = np.where(is_fixed, 0, 1 + fraction + left)
    return ChannelConstants(_bias(node), addend, multiplier, total, np.zeros_like(total), scaling, is_fixed)


def _fixed_outputs(node: BoundNode) -> tuple[np.ndarray, IntArray]:
    """(whether a channel's output is the same for every accumulator that it can have, that output)."""
    multiplier, shift = channel_multipliers(node)
    activation = activation_range(node.attrs.activation, node.output)
    ends = [wrap_int32(a) for a in accumulator_range(node)]
    first, last = (
        np.clip(requantize(a, multiplier, shift) + node.output.zero_point, *activation) for a in ends
    )
    # The ends tell of what lies between only if no accumulator wraps as it is shifted left.
    largest = np.maximum(np.abs(ends[0]), np.abs(ends[1])) << np.maximum(shift, 0)
    return (first == last) & ((largest <= INT32_MAX) | (multiplier == 0)), first


def _is_exact(node: BoundNode, constants: ChannelConstants) -> bool:
    """Nothing overflows: the weights' int16, the scaled accumulator, the sum that is shifted."""
    if not ((constants.shift >= 1) & (constants.shift <= 22) & (constants.scaling <= 8)).all():
        return False
    ends = [np.where(constants.is_fixed, 0, end) << constants.scaling for end in accumulator_range(node)]
    sums = [(end * constants.multiplier >> 32) + constants.addend for end in ends]
    return all(int(np.abs(values).max()) < 2**31 - 2 for values in (*ends, *sums))


def channel_table(
    node: BoundNode, geometry: Geometry, how: Requantization, constants: ChannelConstants
) -> np.ndarray:
    """int32 [channels, words]: what Requantization.constants names, then the weights, row by row."""
    weights = node.input(1).data
    assert weights is not None
    scale = np.where(constants.is_fixed, 0, 1 << constants.scaling)
    scaled = weights[0].astype(np.int64) * scale
    start = constants.bias * scale - node.input(0).zero_point * scaled.sum(axis=(0, 1))
    named = {
        "bias": start,
        "addend": constants.addend,
        "multiplier": constants.multiplier,
        "shift": constants.shift,
        "step": constants.step,
    }
    words = [named[name] for name in how.constants]
    taps = scaled.reshape(geometry.filter_rows, -1, scaled.shape[-1])
    spread = np.zeros((geometry.filter_rows, geometry.across.filter_size, scaled.shape[-1]), np.int64)
    spread[:, :: geometry.dilation] = taps
    for row in spread:
        for word in range(filter_words(len(row))):
            words.append((row[min(word + 1, len(row) - 1)] << 16) + (row[word] & 0xFFFF))
    return wrap_int32(np.stack(words, axis=1)).astype(np.int32)
