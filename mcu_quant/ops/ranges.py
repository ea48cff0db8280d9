"""Intervals of quantized values, per channel (the last axis): how operators state and combine them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor, ValueRange

#: Of the types that hold quantized values.
QUANTIZED = ("int8", "uint8", "int16")

#: An operator's bits: inputs with a sample axis to outputs with one.
Run = Callable[[BoundNode, Sequence["np.ndarray | None"]], "tuple[np.ndarray, ...]"]


def channels_of(tensor: Tensor) -> int:
    return tensor.shape[-1] if tensor.shape else 1


def full_range(tensor: Tensor) -> ValueRange | None:
    """All that the type holds; None for floats, conditions and plain numbers."""
    if tensor.dtype not in QUANTIZED:
        return None
    limits = np.iinfo(tensor.dtype)
    return uniform_range(tensor, limits.min, limits.max)


def uniform_range(tensor: Tensor, low: int, high: int) -> ValueRange:
    """The same interval for every channel."""
    channels = channels_of(tensor)
    return ValueRange(np.full(channels, low, np.int64), np.full(channels, high, np.int64))


def range_of(tensor: Tensor) -> ValueRange:
    """What is known of an integer tensor: a constant's own values, value_range, or its type's limits."""
    if tensor.data is not None:
        return spanned(tensor.data)
    known = tensor.value_range or full_range(tensor)
    assert known is not None, f"{tensor.name} is {tensor.dtype}"
    return known


def spanned(*values: np.ndarray) -> ValueRange:
    """From the least to the largest of each index of the last axis."""
    rows = [array.reshape(-1, array.shape[-1] if array.ndim else 1).astype(np.int64) for array in values]
    return ValueRange(
        np.minimum.reduce([row.min(axis=0) for row in rows]),
        np.maximum.reduce([row.max(axis=0) for row in rows]),
    )


def corner_ranges(node: BoundNode, run: Run) -> tuple[ValueRange, ...]:
    """The outputs' ranges from the corners of the inputs' intervals.

    Sound if, with all else fixed, no output rises and then falls (or the other way) in any element of an
    input, and inputs meet element by element: so for sums, products, minima. Constants are what they are.
    """
    ends = [(None,) if tensor is None else _ends_of(tensor) for tensor in node.inputs]
    return _span_outputs(node, [run(node, corner) for corner in product(*ends)])


def monotone_ranges(node: BoundNode, run: Run) -> tuple[ValueRange, ...]:
    """The outputs' ranges where larger inputs never give smaller outputs: at both ends of all inputs."""
    ends = [(None,) if tensor is None else _ends_of(tensor) for tensor in node.inputs]
    return _span_outputs(node, [run(node, [end[side] for end in ends]) for side in (0, -1)])


def _ends_of(tensor: Tensor) -> tuple[np.ndarray, ...]:
    """A sample as low as the tensor can be, and one as high: its dtype, [1, *shape]; a constant itself."""
    if tensor.data is not None:
        return (tensor.data[None],)
    known = range_of(tensor)
    ends = (end.astype(tensor.dtype).reshape(tensor.shape[-1:]) for end in (known.low, known.high))
    return tuple(np.broadcast_to(end, (1, *tensor.shape)) for end in ends)


def _span_outputs(node: BoundNode, results: list[tuple[np.ndarray, ...]]) -> tuple[ValueRange, ...]:
    return tuple(
        spanned(*(result[index].reshape(tensor.shape) for result in results))
        for index, tensor in enumerate(node.outputs)
    )


def table_range(values: np.ndarray, x: ValueRange, first: int) -> ValueRange:
    """The range of values[x - first], for each channel."""
    intervals: dict[tuple[int, int], tuple[int, int]] = {}
    low: IntArray = np.empty(len(x.low), np.int64)
    high: IntArray = np.empty(len(x.low), np.int64)
    for channel, interval in enumerate(zip(x.low.tolist(), x.high.tolist(), strict=True)):
        if interval not in intervals:
            part = values[interval[0] - first : interval[1] - first + 1]
            intervals[interval] = int(part.min()), int(part.max())
        low[channel], high[channel] = intervals[interval]
    return ValueRange(low, high)
