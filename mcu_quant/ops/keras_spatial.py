"""Reading Keras layers over time (1D) and over height and width (2D).

There is one operator for both: [1, T, C] is reshaped to [1, T, 1, C] (time is height) and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcu_quant.ops.base import PADDINGS, Shape
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused, require_channels_last
from mcu_quant.ops.reshape import ReshapeAttrs


def pair(value: Any, dimensions: int) -> tuple[int, int]:
    """A config's window, stride or dilation, for height and width; for time: (value, 1)."""
    values = [value] * dimensions if isinstance(value, int) else [int(v) for v in value]
    if len(values) != dimensions:
        raise LayerRefused(f"window sizes must be {dimensions} numbers", value=values)
    return (values[0], 1) if dimensions == 1 else (values[0], values[1])


def dimensions_of(layer: KerasLayer) -> int:
    """1 or 2, from the class name."""
    return 1 if "1D" in layer.class_name else 2


def before_and_after(value: Any, dimensions: int, what: str) -> list[tuple[int, int]]:
    """A border along each spatial axis: one number for all, or for each axis one or (before, after).

    what: "padding" or "cropping", for the error.
    """
    axes = [value] * dimensions if isinstance(value, int) or dimensions == 1 else list(value)
    borders = [(axis, axis) if isinstance(axis, int) else tuple(axis) for axis in axes]
    for border in borders:
        if len(border) != 2 or not all(isinstance(size, int) and size >= 0 for size in border):
            raise LayerRefused(f"{what} must be (before, after), not negative", value=value)
    if len(borders) != dimensions:
        raise LayerRefused(f"{what} must be for {dimensions} axes", value=value)
    return borders


def padding_of(config: Mapping[str, Any]) -> str:
    padding = str(config.get("padding", "valid")).lower()
    if padding not in PADDINGS:
        raise LayerRefused("padding must be 'same' or 'valid'", value=padding, hint="padding='same'")
    return padding


def over_space(layer: KerasLayer, x: str, builder: GraphBuilder, body: Callable[[str], str]) -> str:
    """body(x as [1, H, W, C]), reshaped back for 1D layers. Refuses channels_first."""
    require_channels_last(layer.config)
    if dimensions_of(layer) == 2:
        return body(x)
    batch, time, channels = builder.shape(x)
    y = body(reshape(builder, f"{layer.name}/expand", x, (batch, time, 1, channels)))
    batch, time, _, channels = builder.shape(y)
    return reshape(builder, f"{layer.name}/squeeze", y, (batch, time, channels))


def reshape(builder: GraphBuilder, name: str, x: str, shape: Shape) -> str:
    return builder.add("reshape", name, ReshapeAttrs(shape=shape), [x])
