"""Functions that move elements or change shapes: reshape, transpose, stack, tile, flip, pad."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mcu_quant.importers.keras_functions.arguments import (
    Arguments,
    Function,
    FunctionTable,
    TensorName,
    axes_of,
    axis_of,
    integers,
    is_integer,
)
from mcu_quant.importers.keras_functions.nodes import add, attrs, constant, layer, moved, reshape
from mcu_quant.importers.keras_layers import ImportBuilder, constant_operand
from mcu_quant.ops import moves
from mcu_quant.ops.base import Shape
from mcu_quant.ops.keras import LayerRefused
from mcu_quant.ops.moves import Steps
from mcu_quant.ops.pad import PadAttrs

_X = ("tensor", "input", "inputs", "x", "a", "array", "images")


def _reshape(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    shape = arguments.get(1, "shape", "newshape")
    if not isinstance(shape, list | tuple) or not all(s is None or is_integer(s) for s in shape):
        raise LayerRefused(
            "a reshape must be to a constant shape", value=f"{shape!r:.60}", hint="layers.Reshape"
        )
    target = [-1 if s is None else int(s) for s in shape[1:]]
    if target.count(-1) == 1:
        rest = -math.prod(target)
        target[target.index(-1)] = math.prod(builder.shape(x)) // rest if rest > 0 else 0
    return reshape(builder, arguments.name, x, (builder.shape(x)[0], *target))


def _squeeze(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    shape = builder.shape(x)
    axes = axes_of(arguments.get(1, "axis", "squeeze_dims"), len(shape)) or [
        i for i, s in enumerate(shape) if i and s == 1
    ]
    if 0 in axes or any(shape[axis] != 1 for axis in axes):
        raise LayerRefused("a squeeze must be of axes of size 1, not the batch", value=axes)
    return reshape(builder, arguments.name, x, [s for i, s in enumerate(shape) if i not in axes])


def _expand_dims(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    shape = list(builder.shape(x))
    axes = axes_of(arguments.get(1, "axis"), len(shape) + len(_listed(arguments.get(1, "axis"))))
    for axis in axes:
        if axis == 0:
            raise LayerRefused("an axis must be added after the batch", value=axis)
        shape.insert(axis, 1)
    return reshape(builder, arguments.name, x, shape)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def transpose(builder: ImportBuilder, name: str, x: str, order: Sequence[int]) -> TensorName:
    """The axes in that order, the batch's first; a reshape where no element moves."""
    shape, axes = builder.shape(x), [int(axis) for axis in order]
    if sorted(axes) != list(range(len(shape))) or axes[0] != 0:
        raise LayerRefused("a transpose must keep the batch first", value=axes, hint="[0, …]")
    if axes == sorted(axes):
        return TensorName(x)
    moved = [shape[axis] for axis in axes]
    if (kept := [axis for axis in axes if shape[axis] != 1]) == sorted(kept):
        return reshape(builder, name, x, moved)
    return add(builder, "transpose", name, [x], attrs(builder, "transpose", tuple(axes)))


def _transpose(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    rank = len(builder.shape(x))
    wanted = arguments.get(1, "perm", "axes")
    order = list(range(rank))[::-1] if wanted is None else [i % rank for i in integers(wanted, "axes")]
    return transpose(builder, arguments.name, x, order)


def _move_axis(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    axes = list(range(len(builder.shape(x))))
    sources, places = (
        [i % len(axes) for i in integers(arguments.get(position, name), name)]
        for position, name in ((1, "source"), (2, "destination"))
    )
    order = [axis for axis in axes if axis not in sources]
    for place, source in sorted(zip(places, sources, strict=True)):
        order.insert(place, source)
    return transpose(builder, arguments.name, x, order)


def _swap_axes(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    rank = len(builder.shape(x))
    first, second = (axis_of(arguments.get(i, f"axis{i}"), rank) for i in (1, 2))
    order = list(range(rank))
    order[first], order[second] = second, first
    return transpose(builder, arguments.name, x, order)


def _concatenate(arguments: Arguments, builder: ImportBuilder) -> str:
    return concatenate(
        builder, arguments.name, arguments.tensors(0, "values", "xs"), arguments.get(1, "axis", default=-1)
    )


def concatenate(builder: ImportBuilder, name: str, values: Sequence[str], axis: int) -> TensorName:
    return layer(builder, "Concatenate", name, values, axis=axis)


def _append(arguments: Arguments, builder: ImportBuilder) -> str:
    values = [arguments.tensor(0, "x1"), arguments.tensor(1, "x2")]
    axis = axis_of(arguments.get(2, "axis"), len(builder.shape(values[0])))
    return concatenate(builder, arguments.name, values, axis)


def _joined_along(axis: int) -> Function:
    """hstack and dstack: numpy's, of tensors that have that axis."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        values = arguments.tensors(0, "xs")
        shapes = [builder.shape(x) for x in values]
        values = [
            reshape(builder, f"{arguments.name}/reshape", x, (*shape, *[1] * (axis + 1 - len(shape))))
            for x, shape in zip(values, shapes, strict=True)
        ]
        return concatenate(builder, arguments.name, values, axis)

    return lower


def stack(builder: ImportBuilder, name: str, values: Sequence[str], axis: int) -> TensorName:
    """A new axis, along which the values lie."""
    shape = builder.shape(values[0])
    expanded = [reshape(builder, f"{name}/reshape", x, (*shape[:axis], 1, *shape[axis:])) for x in values]
    return concatenate(builder, name, expanded, axis)


def _stack(arguments: Arguments, builder: ImportBuilder) -> str:
    values = arguments.tensors(0, "values", "x")
    axis = axis_of(arguments.get(1, "axis", default=0), len(builder.shape(values[0])) + 1)
    return stack(builder, arguments.name, values, axis)


def _broadcast_to(arguments: Arguments, builder: ImportBuilder) -> str:
    x, wanted = arguments.tensor(0, *_X), arguments.get(1, "shape")
    if not isinstance(wanted, list | tuple) or len(wanted) < len(builder.shape(x)):
        raise LayerRefused("the shape must be constant, with the batch", value=f"{wanted!r:.60}")
    shape = (*[1] * (len(wanted) - len(builder.shape(x))), *builder.shape(x))
    target = [size if want in (None, -1) else want for size, want in zip(shape, wanted, strict=True)]
    target[0] = shape[0] if target[0] in (None, 1) else target[0]
    if target[0] != shape[0]:
        raise LayerRefused("a broadcast must keep the batch", value=wanted)
    y = reshape(builder, f"{arguments.name}/reshape", x, shape)
    return broadcast(builder, arguments.name, y, integers(target, "shape"))


def broadcast(builder: ImportBuilder, name: str, x: str, shape: Sequence[int]) -> TensorName:
    """x with its axes of size 1 repeated."""
    if builder.shape(x) == tuple(shape):
        return TensorName(x)
    return add(builder, "broadcast_to", name, [x], attrs(builder, "broadcast_to", tuple(shape)))


def _tile(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    rank = len(builder.shape(x))
    counts = integers(arguments.get(1, "multiples", "repeats"), "repeats")
    if len(counts) > rank or (len(counts) == rank and counts[0] != 1) or min(counts) < 1:
        raise LayerRefused("the repeats must be one for each axis, 1 for the batch", value=counts)
    whole = [*[1] * (rank - len(counts)), *counts]
    return moved(builder, arguments.name, x, moves.tile(builder.shape(x), whole)) if max(whole) > 1 else x


def _repeat(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    counts = integers(arguments.get(1, "repeats"), "repeats")
    axis = axis_of(arguments.get(2, "axis"), len(builder.shape(x)))
    if len(counts) != 1 or counts[0] < 1:
        raise LayerRefused("all elements must be repeated as often", value=counts)
    steps = moves.repeat(builder.shape(x), counts[0], axis)
    return moved(builder, arguments.name, x, steps) if counts[0] > 1 else x


def reverse(builder: ImportBuilder, name: str, x: str, axes: Sequence[int]) -> TensorName:
    """The order of those axes turned round."""
    return moved(builder, name, x, moves.flip(builder.shape(x), axes))


def _flip(arguments: Arguments, builder: ImportBuilder) -> str:
    x = arguments.tensor(0, *_X)
    axes = axes_of(arguments.get(1, "axis"), len(builder.shape(x)))
    if not axes or 0 in axes:
        raise LayerRefused("a flip must be of axes other than the batch's", value=arguments.get(1, "axis"))
    return reverse(builder, arguments.name, x, axes)


def _flip_columns(arguments: Arguments, builder: ImportBuilder) -> str:
    return reverse(builder, arguments.name, arguments.tensor(0, "x"), [1])


def _rotate(arguments: Arguments, builder: ImportBuilder) -> str:
    """By quarters of a turn, from the first axis towards the second."""
    x, name = arguments.tensor(0, *_X), arguments.name
    rank, turns = len(builder.shape(x)), int(arguments.get(1, "k", default=1)) % 4
    first, second = (axis_of(axis, rank) for axis in arguments.get(2, "axes", default=(0, 1)))
    order = list(range(rank))
    order[first], order[second] = second, first
    flipped = {0: [], 1: [second], 2: [first, second], 3: [first]}[turns]
    y = reverse(builder, f"{name}/reverse", x, flipped) if flipped else x
    return transpose(builder, name, y, order) if turns % 2 else y


def _roll(arguments: Arguments, builder: ImportBuilder) -> str:
    """What leaves an axis at its end comes in at its start."""
    x = arguments.tensor(0, *_X)
    shifts, axes = (integers(arguments.get(i + 1, name), name) for i, name in enumerate(("shift", "axis")))
    for shift, axis in zip(shifts * (len(axes) // len(shifts)), axes, strict=True):
        shape = builder.shape(x)
        place = axis_of(axis, len(shape))
        moved = shift % shape[place]
        if moved:
            parts = [
                sliced(builder, f"{arguments.name}/slice", x, place, slice(*part))
                for part in ((shape[place] - moved, None), (0, shape[place] - moved))
            ]
            x = concatenate(builder, arguments.name, parts, place)
    return x


def sliced(builder: ImportBuilder, name: str, x: str, axis: int, part: slice | int) -> TensorName:
    """A part of one axis; without the axis, if the part is a number."""
    shape = builder.shape(x)
    if isinstance(part, int):
        return moved(builder, name, x, moves.index(shape, axis, part))
    first, last, _ = part.indices(shape[axis])
    return moved(builder, name, x, moves.part(shape, axis, first, last - first))


def _pad(arguments: Arguments, builder: ImportBuilder) -> str:
    x, name = arguments.tensor(0, *_X), arguments.name
    rank, value = len(builder.shape(x)), arguments.get(1, "paddings", "pad_width")
    widths = np.asarray(value if isinstance(value, list | tuple | np.ndarray) else [value])
    if widths.dtype.kind not in "iu" or widths.size not in (1, 2, 2 * rank) or widths.min() < 0:
        raise LayerRefused("the paddings must be constant, a pair for each axis", value=f"{value!r:.60}")
    pairs = np.broadcast_to(widths.reshape(-1, min(widths.size, 2)), (rank, 2)).tolist()
    mode, fill = (
        str(arguments.get(2, "mode", default="constant")).lower(),
        arguments.get(3, "constant_values"),
    )
    if any(pairs[0]):
        raise LayerRefused("padding must not be of the batch", value=pairs, hint="(0, 0) for axis 0")
    return padded(builder, name, x, pairs, mode, fill)


def padded(
    builder: ImportBuilder, name: str, x: str, pairs: Sequence[Sequence[int]], mode: str, fill: Any = None
) -> TensorName:
    """A border of a constant (0 unless given), or of what lies inside (reflect, symmetric)."""
    widths = tuple((int(before), int(after)) for before, after in pairs)
    if mode in ("reflect", "symmetric"):
        return add(builder, "mirror_pad", name, [x], attrs(builder, "mirror_pad", widths, mode))
    if mode != "constant":
        raise LayerRefused("the padding must be constant, reflect or symmetric", value=mode)
    border = constant_operand(0.0 if fill is None else fill)
    if border.size != 1:
        raise LayerRefused("a border must be of one value", value=border)
    value = [constant(builder, f"{name}/border", border.reshape(1))] if border.any() else []
    return add(builder, "pad", name, [x, *value], PadAttrs(widths))


def _blocks(steps: Callable[[Shape, int], Steps]) -> Function:
    """depth_to_space and space_to_depth."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        if arguments.get(2, "data_format") not in (None, "channels_last", "NHWC"):
            raise LayerRefused("the layout must be channels_last", value=arguments.get(2, "data_format"))
        size = int(arguments.get(1, "block_size"))
        x = arguments.tensor(0, *_X)
        return moved(builder, arguments.name, x, steps(builder.shape(x), size))

    return lower


FUNCTIONS: FunctionTable = {
    _reshape: ("reshape", "Reshape"),
    _squeeze: ("squeeze", "compat.v1.squeeze", "Squeeze"),
    _expand_dims: ("expand_dims", "compat.v1.expand_dims", "ExpandDims"),
    _transpose: ("transpose", "compat.v1.transpose", "Transpose"),
    _move_axis: ("Moveaxis",),
    _swap_axes: ("Swapaxes",),
    _concatenate: ("concat", "Concatenate"),
    _append: ("Append",),
    _joined_along(1): ("Hstack",),
    _joined_along(2): ("Dstack",),
    _stack: ("stack", "Stack"),
    _broadcast_to: ("broadcast_to", "BroadcastTo"),
    _tile: ("tile", "Tile"),
    _repeat: ("repeat", "Repeat"),
    _flip: ("reverse", "compat.v1.reverse", "Flip"),
    _flip_columns: ("Fliplr",),
    _rotate: ("Rot90",),
    _roll: ("roll", "compat.v1.manip.roll", "Roll"),
    _pad: ("pad", "compat.v1.pad", "Pad"),
    _blocks(moves.depth_to_space): ("nn.depth_to_space", "compat.v1.depth_to_space", "DepthToSpace"),
    _blocks(moves.space_to_depth): ("nn.space_to_depth", "compat.v1.space_to_depth", "SpaceToDepth"),
}
