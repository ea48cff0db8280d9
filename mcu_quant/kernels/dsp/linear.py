"""Weights and constants of convolutions and fully connected layers, packed for the DSP extension.

Four output channels are a block: words int32, in the order in which the inner loop reads them,

    start   4 words: what the accumulators hold at first
    weights for each pair of inputs k, k': a word for channels 0 and 1, a word for channels 2 and 3
    requantization, for each channel: multiplier, offset, and step where the layer has steps

A word of weights holds two channels byte-interleaved: its halves are 256 * odd[k] + even[k] and the
same for k', each an exact int16. SMLAD with the word sums 256 * odd + even in one accumulator; SMLAD
with its low bytes (SXTB16) sums `even` in another; their difference is 256 * odd. No unpacking of
weights but one SXTB16 for four products, and no bytes in flash beyond the weights themselves.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.dsp.requantization import ShortRequantization, short_requantization

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


def linear_refusal(node: BoundNode) -> str | None:
    """Why the layer's weights cannot be packed or its requantization not be shortened."""
    short = short_requantization(node, SCALE_BITS)
    if short is None:
        return "its requantization is not proved in the short form"
    even, odd = _channel_pairs(_weights(node, short))
    if (256 * odd + even < -(1 << 15)).any():
        return "two weights of -128 and below 0 do not fit into an int16 together"
    return None


def proved_requantization(node: BoundNode) -> ShortRequantization:
    """Of a node that linear_refusal does not refuse."""
    short = short_requantization(node, SCALE_BITS)
    assert short is not None
    return short


def requantization_params(node: BoundNode) -> dict[str, int]:
    """The fields of the kernels' parameters that mq_dsp_requantize takes."""
    short = proved_requantization(node)
    return {
        "shift": short.shift,
        "has_steps": int(short.has_steps),
        "low": INT8_MIN if short.low is None else short.low,
        "high": INT8_MAX if short.high is None else short.high,
    }


def packed_blocks(node: BoundNode, order: IntArray) -> np.ndarray:
    """The blocks of all output channels, int32 [words]. order: input elements as the loop meets them."""
    short = proved_requantization(node)
    rows = _weights(node, short)[:, order]
    rows = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    even, odd = _channel_pairs(rows)
    halves = (256 * odd + even).astype(np.int16).astype(np.uint16).astype(np.uint32)
    words = halves[:, 0::2] | (halves[:, 1::2] << 16)
    blocks = len(words) // 2
    weights = words.reshape(blocks, 2, -1).transpose(0, 2, 1).reshape(blocks, -1).astype(np.uint32)
    table = np.concatenate([_starts(node, short), weights, _requantization(short)], axis=1)
    return np.ascontiguousarray(table).view(np.int32).reshape(-1)


def _weights(node: BoundNode, short: ShortRequantization) -> IntArray:
    """int64 [channels padded to blocks, elements]; channels of one value have none."""
    data = node.input(1).data
    assert data is not None
    rows = data.astype(np.int64).reshape(len(data), -1)
    rows = np.where(short.is_constant[:, None], 0, rows)
    return np.pad(rows, ((0, padded(len(rows), BLOCK) - len(rows)), (0, 0)))


def _channel_pairs(rows: IntArray) -> tuple[IntArray, IntArray]:
    return rows[0::2], rows[1::2]


def _starts(node: BoundNode, short: ShortRequantization) -> np.ndarray:
    """uint32 [blocks, 4]: bias with the input's zero_point folded in; odd ones as 256 * odd + even."""
    bias = node.optional_input(2)
    rows = _weights(node, short)
    start = np.zeros(len(rows), np.int64)
    if bias is not None and bias.data is not None:
        start[: bias.elements] = bias.data
    start[: len(short.center)] -= short.center
    start[: len(short.center)][short.is_constant] = 0
    start -= node.input(0).zero_point * rows.sum(axis=1)
    start[1::2] = 256 * start[1::2] + start[0::2]
    return _words(start).reshape(-1, BLOCK)


def _requantization(short: ShortRequantization) -> np.ndarray:
    """uint32 [blocks, 4 * 2 or 3]."""
    columns = [short.multiplier, short.offset] + ([short.step] if short.has_steps else [])
    table = np.stack(columns, axis=1)
    table = np.pad(table, ((0, padded(len(table), BLOCK) - len(table)), (0, 0)))
    return _words(table).reshape(-1, BLOCK * len(columns))


def _words(values: IntArray) -> np.ndarray:
    return (values & 0xFFFFFFFF).astype(np.uint32)
