"""Weights and constants of convolutions and fully connected layers, packed for the DSP extension.

Four output channels are a block (eight, in fully_connected_assembly.py): words int32, in the order in
which the inner loop reads them,

    start   4 words: what the accumulators hold at first
    weights for each pair of inputs k, k': a word for channels 0 and 1, a word for channels 2 and 3
    requantization, for each channel: multiplier, addend, and step where the layer has steps

A word of weights holds two channels byte-interleaved: its halves are 256 * odd[k] + even[k] and the
same for k', each an exact int16. SMLAD with the word sums 256 * odd + even in one accumulator; SMLAD
with its low bytes (SXTB16) sums `even` in another; their difference is 256 * odd. No unpacking of
weights but one SXTB16 for four products, and no bytes in flash beyond the weights themselves.

Channels whose requantization is not proved in the short form are slow: plain C computes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.dsp.requantization import ShortRequantization, partial_requantization
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.linear import channel_multipliers

#: Output channels of a block.
BLOCK = 4
#: The odd channels' accumulators are 2**8 times the sum; the even ones' are made so.
SCALE_BITS = 8


#: The preprocessor condition of cores that have the extension.
DSP_GUARD = "defined(__ARM_FEATURE_DSP)"


def padded(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def byte_order(channels: int) -> IntArray:
    """The order of a run of int8 once it is expanded to pairs of int16.

    SXTB16 takes bytes 0 and 2, then 1 and 3. Runs that are not whole words keep their order.
    """
    order = np.arange(channels)
    return order.reshape(-1, 4)[:, [0, 2, 1, 3]].reshape(-1) if channels % 4 == 0 else order


@dataclass(frozen=True, eq=False)
class PackedLayer:
    """A layer's weights and constants. short: its requantization; slow: channels that are not in blocks.

    rows: int64 [channels padded to blocks, elements], 0 where channels are slow or of one value.
    """

    node: BoundNode
    short: ShortRequantization
    rows: IntArray
    slow: IntArray

    def blocks(self, order: IntArray, pairs: int, block: int = BLOCK) -> np.ndarray:
        """All blocks, int32 [words]. order: input elements as the inner loop meets them; it takes `pairs`.

        block: channels of a block; all channels, padded to BLOCK, must be whole ones.
        """
        rows = self.rows[:, order]
        rows = np.pad(rows, ((0, 0), (0, 2 * pairs - rows.shape[1])))
        halves = _interleaved(rows).astype(np.int16).astype(np.uint16).astype(np.uint32)
        words = halves[:, 0::2] | (halves[:, 1::2] << 16)
        count = len(self.rows) // block
        weights = words.reshape(count, block // 2, -1).transpose(0, 2, 1).reshape(count, -1)
        starts, constants = self._starts().reshape(count, -1), self._requantization().reshape(count, -1)
        table = np.concatenate([starts, weights.astype(np.uint32), constants], axis=1)
        return np.ascontiguousarray(table).view(np.int32).reshape(-1)

    def slow_channels(self, order: IntArray) -> np.ndarray:
        """int32 [slow channels, 4 + elements]: channel, start, multiplier, shift, weights in that order."""
        data = _raw_rows(self.node)[self.slow]
        multiplier, shift = channel_multipliers(self.node)
        start = _bias(self.node)[self.slow] - self.node.input(0).zero_point * data.sum(axis=1)
        facts = np.stack([self.slow, start, multiplier[self.slow], shift[self.slow]], axis=1)
        table = np.concatenate([facts, data[:, order]], axis=1)
        return _words(table if len(table) else np.zeros((1, 1), np.int64)).view(np.int32)

    def channel_constants(self, scale: int) -> np.ndarray:
        """int32 [channels * 4]: start (times scale), multiplier, addend, step of each channel."""
        short = self.short
        columns = [
            scale * self._channel_starts()[: len(short.center)],
            short.multiplier,
            short.addend,
            short.step,
        ]
        return _words(np.stack(columns, axis=1)).view(np.int32).reshape(-1)

    def _channel_starts(self) -> IntArray:
        """int64 [channels padded to blocks]: bias with the input's zero_point folded in."""
        channels = len(self.short.center)
        start = np.zeros(len(self.rows), np.int64)
        start[:channels] = np.where(self._is_empty(), 0, _bias(self.node) - self.short.center)
        return start - self.node.input(0).zero_point * self.rows.sum(axis=1)

    def _starts(self) -> np.ndarray:
        """uint32 [channels padded to blocks]: odd channels' as 256 * odd + even."""
        start = self._channel_starts()
        start[1::2] = 256 * start[1::2] + start[0::2]
        return _words(start)

    def _is_empty(self) -> np.ndarray:
        empty = self.short.is_constant.copy()
        empty[self.slow] = True
        return empty

    def _requantization(self) -> np.ndarray:
        """uint32 [channels padded to blocks, 2 or 3]."""
        short = self.short
        table = np.stack([short.multiplier, short.addend, *([short.step] if short.has_steps else [])], axis=1)
        table[self.slow] = 0
        table = np.pad(table, ((0, len(self.rows) - len(table)), (0, 0)))
        return _words(table)


@lru_cache(maxsize=16)
def packed_layer(node: BoundNode) -> PackedLayer:
    short = partial_requantization(node, SCALE_BITS)
    rows = np.where((short.is_constant | short.is_unproved)[:, None], 0, _raw_rows(node))
    rows = np.pad(rows, ((0, padded(len(rows), BLOCK) - len(rows)), (0, 0)))
    is_slow = short.is_unproved.copy()
    # Two weights of -128 and below 0 are no int16 together: one of the channels is slow.
    too_low = np.any(_interleaved(rows) < -(1 << 15), axis=1)
    is_slow[1::2] |= too_low[: len(is_slow[1::2])]
    rows[: len(is_slow)][is_slow] = 0
    return PackedLayer(node, short, rows, np.flatnonzero(is_slow))


def requantization_params(node: BoundNode) -> dict[str, int]:
    """The fields of the kernels' parameters that mq_dsp_requantize and slow channels take."""
    layer = packed_layer(node)
    short = layer.short
    low, high = activation_range(node.attrs.activation, node.output)
    return {
        "shift": short.shift,
        "has_steps": int(short.has_steps),
        "low": INT8_MIN if short.low is None else short.low,
        "high": INT8_MAX if short.high is None else short.high,
        "slow_channels": len(layer.slow),
        "output_zero_point": node.output.zero_point,
        "activation_min": low,
        "activation_max": high,
    }


def _raw_rows(node: BoundNode) -> IntArray:
    data = node.input(1).data
    assert data is not None
    return data.astype(np.int64).reshape(len(data), -1)


def _bias(node: BoundNode) -> IntArray:
    bias = node.optional_input(2)
    if bias is None or bias.data is None:
        return np.zeros(node.output.shape[-1], np.int64)
    return bias.data.astype(np.int64)


def _interleaved(rows: IntArray) -> IntArray:
    return 256 * rows[1::2] + rows[0::2]


def _words(values: IntArray) -> np.ndarray:
    return (values & 0xFFFFFFFF).astype(np.uint32)
