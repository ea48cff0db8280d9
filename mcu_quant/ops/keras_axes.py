"""Axes of Keras layers: some or one, negative or not, where TFLite works on the last one alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mcu_quant.ops.keras import GraphBuilder, LayerRefused
from mcu_quant.ops.keras_spatial import reshape
from mcu_quant.ops.transpose import TransposeAttrs


def some_axes(value: Any, rank: int) -> tuple[int, ...]:
    """A config's axis, or axes, ascending and not negative. Raises LayerRefused."""
    axes = list(value) if isinstance(value, list | tuple) else [value]
    if not axes or not all(isinstance(axis, int) and -rank <= axis < rank for axis in axes):
        raise LayerRefused(f"the axes must be some of the input's {rank}", value=value)
    return tuple(sorted({axis % rank for axis in axes}))


def axes_of_samples(value: Any, rank: int) -> tuple[int, ...]:
    """some_axes, without the batch's."""
    found = some_axes(value, rank)
    if found[0] == 0:
        raise LayerRefused("the batch must not be among the axes", value=value, hint="axis=-1")
    return found


def on_last_axis(
    name: str, x: str, builder: GraphBuilder, axes: tuple[int, ...], body: Callable[[str], str]
) -> str:
    """body(x with those axes as the last one), which keeps the shape, with the axes back in their places."""
    shape = builder.shape(x)
    order = (*(axis for axis in range(len(shape)) if axis not in axes), *axes)
    moved = order != tuple(range(len(shape)))
    if moved:
        x = builder.add("transpose", f"{name}/last", TransposeAttrs(order), [x])
    ordered = builder.shape(x)
    kept = ordered[: len(shape) - len(axes)]
    if len(axes) > 1:
        x = reshape(builder, f"{name}/rows", x, (*kept, math.prod(ordered[len(kept) :])))
    y = body(x)
    if len(axes) > 1:
        y = reshape(builder, f"{name}/unrows", y, ordered)
    if moved:
        inverse = tuple(order.index(axis) for axis in range(len(shape)))
        y = builder.add("transpose", f"{name}/back", TransposeAttrs(inverse), [y])
    return y
