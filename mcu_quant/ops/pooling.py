"""What max_pool_2d and average_pool_2d share. Windows are cut at the border: padding counts for nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcu_quant.errors import InvalidModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import (
    ACTIVATIONS,
    PADDINGS,
    SAME_SCALE,
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
)
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.keras_spatial import dimensions_of, over_space, padding_of, pair
from mcu_quant.ops.windows import ONE_BATCH, Padding, WindowAxes, images, window_axes

#: Elements of a window: far beyond any that has a use, and few enough to walk.
MAX_WINDOW = 2**18


@dataclass(frozen=True)
class Pool2DAttrs:
    """filter_size, strides: (height, width). padding: "same" or "valid"."""

    filter_size: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding = "valid"
    activation: str = "none"


class Pool2D(Operator):
    """Input: x [1, H, W, C]."""

    attrs_type = Pool2DAttrs
    quant_rule = QuantRule(output="same")
    constraints: ClassVar[tuple[Constraint, ...]] = (SAME_SCALE, ONE_BATCH)

    def output_shapes(self, attrs: Pool2DAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = input_shapes
        height, width = window_axes(attrs.padding, x, attrs.filter_size, attrs.strides)
        return ((x[0], height.output_size, width.output_size, x[3]),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        config, dimensions = layer.config, dimensions_of(layer)
        size = pair(config.get("pool_size", 2), dimensions)
        strides = config.get("strides")
        attrs = Pool2DAttrs(
            filter_size=size,
            strides=size if strides is None else pair(strides, dimensions),
            padding=padding_of(config),
        )
        return over_space(layer, inputs[0], builder, lambda x: builder.add(self.name, layer.name, attrs, [x]))

    def from_tflite(self, node: TfliteNode) -> tuple[Pool2DAttrs, tuple[Tensor | None, ...]]:
        attrs = Pool2DAttrs(
            filter_size=node.sizes("FilterHeight", "FilterWidth"),
            strides=node.sizes("StrideH", "StrideW"),
            padding=node.choice("Padding", PADDINGS),
            activation=node.choice("FusedActivationFunction", ACTIVATIONS),
        )
        if math.prod(attrs.filter_size) > MAX_WINDOW:
            rule = f"windows must have at most {MAX_WINDOW} elements"
            raise InvalidModelError(rule, layer=node.name, value=attrs)
        return attrs, node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        attrs: Pool2DAttrs = node.attrs
        options = {
            "Padding": PADDINGS.index(attrs.padding),
            "StrideW": attrs.strides[1],
            "StrideH": attrs.strides[0],
            "FilterWidth": attrs.filter_size[1],
            "FilterHeight": attrs.filter_size[0],
            "FusedActivationFunction": ACTIVATIONS.index(attrs.activation),
        }
        return TfliteForm(self.tflite_builtins[0], 2, "Pool2DOptions", options)

    def is_monotone(self, node: BoundNode) -> bool:
        return True

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        return np.arange(node.output.shape[-1])


def pool_axes(node: BoundNode) -> WindowAxes:
    attrs: Pool2DAttrs = node.attrs
    return window_axes(attrs.padding, node.input(0).shape, attrs.filter_size, attrs.strides)


def pool(node: BoundNode, x: np.ndarray, combine: np.ufunc, start: np.ndarray) -> np.ndarray:
    """combine, over every window, of x [N, *shape]; start [H', W', C] or a scalar is the first operand."""
    height, width = pool_axes(node)
    x = images(x, node.input(0).shape)
    result = np.broadcast_to(start, (len(x), *node.output.shape[1:])).copy()
    for tap_y in range(height.filter_size):
        out_y, in_y = height.reach(tap_y)
        for tap_x in range(width.filter_size):
            out_x, in_x = width.reach(tap_x)
            part = result[:, out_y, out_x]
            combine(part, x[:, in_y, in_x], out=part)
    return result.reshape(len(x), *node.output.shape)


def pool_counts(node: BoundNode) -> np.ndarray:
    """How many elements each window holds, int64 [H', W', 1]."""
    height, width = pool_axes(node)
    counts = []
    for axis in (height, width):
        count = np.zeros(axis.output_size, np.int64)
        for tap in range(axis.filter_size):
            count[axis.reach(tap)[0]] += 1
        counts.append(count)
    return counts[0][:, None, None] * counts[1][None, :, None]
