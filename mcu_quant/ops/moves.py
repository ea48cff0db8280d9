"""What Keras and TFLite have as one operator, and what is several movers here, one behind the other.

Each function gets the full shape of its input and returns Steps; reshapes among them run nothing. NumPy's
function of the same name, if any, says what it does. ValueError where the arguments do not fit the shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mcu_quant.ops.base import Shape
from mcu_quant.ops.broadcast_to import BroadcastToAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.ops.transpose import TransposeAttrs

#: (operator, its attributes), first to last; each has one input, the output of the one before.
Steps = tuple[tuple[str, Any], ...]
#: Axes that TFLM slices.
MOST_SLICED = 4


def reshape(shape: Shape) -> Steps:
    return (("reshape", ReshapeAttrs(tuple(shape))),)


def _between(before: Shape, op: str, attrs: Any, after: Shape) -> Steps:
    """The operator on the elements in another shape than they come and go."""
    return (*reshape(before), (op, attrs), *reshape(after))


def part(shape: Shape, axis: int, first: int, count: int) -> Steps:
    """x[first : first + count] along the axis."""
    after = (*shape[:axis], count, *shape[axis + 1 :])
    return _along(shape, axis, slice(first, first + count), after)


def index(shape: Shape, axis: int, position: int) -> Steps:
    """x[position] along the axis, which is gone then."""
    after = (*shape[:axis], *shape[axis + 1 :])
    return _along(shape, axis, position, after)


def _along(shape: Shape, axis: int, entry: slice | int, after: Shape) -> Steps:
    """What lies there along one axis. TFLM slices four axes: of more, neighbours are merged."""
    merged = len(shape) > MOST_SLICED
    attrs = attrs_of(
        [*[slice(None)] * (1 if merged else axis), entry], _around(shape, axis) if merged else shape
    )
    return (
        _between(_around(shape, axis), "strided_slice", attrs, after)
        if merged
        else (("strided_slice", attrs),)
    )


def flip(shape: Shape, axes: Sequence[int]) -> Steps:
    """The order of the elements reversed along those axes."""
    backwards = slice(None, None, -1)
    if len(shape) <= MOST_SLICED:
        entries = [backwards if axis in axes else slice(None) for axis in range(len(shape))]
        return (("strided_slice", attrs_of(entries, shape)),)
    return sum((_along(shape, axis, backwards, shape) for axis in axes), reshape(shape))


def _around(shape: Shape, axis: int) -> Shape:
    """Three axes: all before that one, itself, and all behind it."""
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])


def tile(shape: Shape, counts: Sequence[int]) -> Steps:
    """The whole, so many times along each axis. TFLM broadcasts to five axes: two are tiled at once."""
    if len(counts) != len(shape) or min((*counts, 1)) < 1:
        raise ValueError(f"{counts} is no count, 1 or more, for each axis of {shape}")
    tiled = [axis for axis, count in enumerate(counts) if count > 1]
    if len(tiled) > 2:
        first = [count if axis in tiled[:2] else 1 for axis, count in enumerate(counts)]
        rest = [count if axis in tiled[2:] else 1 for axis, count in enumerate(counts)]
        between = tuple(size * count for size, count in zip(shape, first, strict=True))
        return (*tile(shape, first), *tile(between, rest))
    sizes, repeats = [1], [1]
    for size, count in zip(shape, counts, strict=True):
        if count > 1:
            sizes += [1, size]
            repeats += [count, size]
        else:  # one with the axis before it
            sizes[-1] *= size
            repeats[-1] *= size
    after = tuple(size * count for size, count in zip(shape, counts, strict=True))
    return _between(tuple(sizes), "broadcast_to", BroadcastToAttrs(tuple(repeats)), after)


def repeat(shape: Shape, count: int, axis: int) -> Steps:
    """Each index of the axis so many times, one behind the other."""
    if count < 1:
        raise ValueError(f"{count} repeats")
    outer, size, inner = _around(shape, axis)
    after = (*shape[:axis], size * count, *shape[axis + 1 :])
    attrs = BroadcastToAttrs((outer * size, count, inner))
    return _between((outer * size, 1, inner), "broadcast_to", attrs, after)


def space_to_depth(shape: Shape, block: int) -> Steps:
    """[N, H, W, C] to [N, H/block, W/block, block * block * C]."""
    batch, height, width, channels = shape
    if block < 1 or height % block or width % block:
        raise ValueError(f"{shape} has no blocks of {block}")
    rows, columns = height // block, width // block
    before = (batch * rows, block, columns, block * channels)
    after = (batch, rows, columns, block * block * channels)
    return _between(before, "transpose", TransposeAttrs((0, 2, 1, 3)), after)


def depth_to_space(shape: Shape, block: int) -> Steps:
    """[N, H, W, block * block * C] to [N, H * block, W * block, C]."""
    batch, height, width, depth = shape
    if block < 1 or depth % block**2:
        raise ValueError(f"{depth} channels are no blocks of {block}")
    channels = depth // block**2
    before = (batch * height, width, block, block * channels)
    after = (batch, height * block, width * block, channels)
    return _between(before, "transpose", TransposeAttrs((0, 2, 1, 3)), after)


Borders = Sequence[tuple[int, int]]


def space_to_batch(shape: Shape, block: Sequence[int], paddings: Borders) -> Steps:
    """[N, *space, *rest]: each place in a block of the padded space gets a batch of its own, outermost."""
    _check_blocks(shape, block, paddings)
    batch, rest = shape[0], shape[1 + len(block) :]
    space = [size + before + after for size, (before, after) in zip(shape[1:], paddings, strict=False)]
    if any(size % side for size, side in zip(space, block, strict=True)):
        raise ValueError(f"{space} has no blocks of {block}")
    counts = [size // side for size, side in zip(space, block, strict=True)]
    axes, order = _with_blocks(batch, counts, block, rest)
    after = (batch * math.prod(block), *counts, *rest)
    move = _between(axes, "transpose", TransposeAttrs(order), after)
    if not any(size for border in paddings for size in border):
        return move
    borders = ((0, 0), *((before, after) for before, after in paddings), *((0, 0),) * len(rest))
    return (("pad", PadAttrs(borders)), *move)


def batch_to_space(shape: Shape, block: Sequence[int], crops: Borders) -> Steps:
    """The inverse of space_to_batch: the batches are woven together, and the borders cut off."""
    _check_blocks(shape, block, crops)
    batch, left_over = divmod(shape[0], math.prod(block))
    counts, rest = shape[1 : 1 + len(block)], shape[1 + len(block) :]
    space = [count * side for count, side in zip(counts, block, strict=True)]
    cuts = [(first, size - last) for size, (first, last) in zip(space, crops, strict=True)]
    if left_over or any(first >= end for first, end in cuts):
        raise ValueError(f"{shape} has no blocks of {block}, or nothing is left between {crops}")
    axes, order = _with_blocks(batch, counts, block, rest)
    before = tuple(axes[axis] for axis in order)
    back = tuple(order.index(axis) for axis in range(len(order)))
    after = (batch, *space, *rest)
    move = _between(before, "transpose", TransposeAttrs(back), after)
    if not any(size for border in crops for size in border):
        return move
    entries = [slice(None), *(slice(first, end) for first, end in cuts)]
    return (*move, ("strided_slice", attrs_of(entries, after)))


def _check_blocks(shape: Shape, block: Sequence[int], borders: Borders) -> None:
    if len(borders) != len(block) or not 0 < len(block) < len(shape) or min(block) < 1:
        raise ValueError(f"blocks of {block} with borders {borders} in {shape}")


def _with_blocks(
    batch: int, counts: Sequence[int], block: Sequence[int], rest: Shape
) -> tuple[Shape, tuple[int, ...]]:
    """The space as (batch * count, side, count, side, …, rest), and the order that puts the sides first."""
    pairs = [size for pair in zip(counts, block, strict=True) for size in pair]
    axes = (batch * pairs[0], *pairs[1:], math.prod(rest))
    sides = range(1, len(pairs), 2)
    return axes, (*sides, *(axis for axis in range(len(axes)) if axis not in sides))
