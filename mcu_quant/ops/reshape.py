"""reshape: the same elements in the same order under another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import SAME_SCALE, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused, require_channels_last
from mcu_quant.ops.mover import Mover, Path


@dataclass(frozen=True)
class ReshapeAttrs:
    """shape: the output's full shape, batch included; no -1."""

    shape: Shape


class Reshape(Mover):
    """It moves nothing. Squeezes and expansions of axes are reshapes, too."""

    name = "reshape"
    attrs_type = ReshapeAttrs
    tflite_builtins = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
    keras_layers = ("Flatten", "Reshape")
    constraints = (SAME_SCALE,)

    def output_shapes(self, attrs: ReshapeAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        if math.prod(attrs.shape) != math.prod(input_shapes[0]):
            raise ValueError(f"{input_shapes[0]} cannot be reshaped to {attrs.shape}")
        return (attrs.shape,)

    def path(self, attrs: ReshapeAttrs, shape: Shape) -> Path:
        return Path(0, (math.prod(shape),), (1,))

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        batch, *sizes = builder.shape(x)
        if layer.class_name == "Flatten":
            if len(sizes) > 1:
                require_channels_last(layer.config)
            target = [math.prod(sizes)]
        else:
            target = [int(size) for size in layer.config["target_shape"]]
        shape = resolve_shape((batch, *target), builder.shape(x))
        if shape is None:
            raise LayerRefused(
                "target_shape must have as many elements as the input",
                value=f"{sizes} to {target}",
                hint="-1 for the size that follows from the others",
            )
        return builder.add(self.name, layer.name, ReshapeAttrs(shape), [x])

    def from_tflite(self, node: TfliteNode) -> tuple[ReshapeAttrs, tuple[Tensor | None, ...]]:
        x = node.inputs[0]
        assert x is not None
        if node.builtin == "SQUEEZE":
            wanted = _squeezed(x.shape, _numbers(node, "SqueezeDimsAsNumpy"))
        elif node.builtin == "EXPAND_DIMS":
            wanted = _expanded(x.shape, _constant(node, "axis"))
        elif len(node.inputs) > 1 and node.inputs[1] is not None:
            wanted = _constant(node, "shape")
        else:
            wanted = _numbers(node, "NewShapeAsNumpy")
        scalar = wanted == (0,)  # as old converters write it
        shape = resolve_shape(() if scalar else wanted, x.shape)
        if shape is None:
            raise InvalidModelError(
                "the shape must have as many elements as the input",
                layer=node.name,
                value=f"{x.shape} to {wanted}",
                hint="export the model again",
            )
        return ReshapeAttrs(shape), (x,)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        shape = node.attrs.shape
        return TfliteForm("RESHAPE", 1, "ReshapeOptions", {"NewShape": shape}, (np.array(shape, np.int32),))

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        channels, wanted = node.input(0).shape[-1:], node.output.shape[-1:]
        if not channels or not wanted or wanted[0] % channels[0]:
            return None
        return np.arange(wanted[0]) % channels[0]

    def with_channels(self, attrs: ReshapeAttrs, channels: int) -> ReshapeAttrs:
        return ReshapeAttrs((*attrs.shape[:-1], channels))

    def moved(self, attrs: ReshapeAttrs, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), *attrs.shape)


def resolve_shape(wanted: Sequence[int], shape: Shape) -> Shape | None:
    """`wanted` with its -1, if any, replaced so that shape's elements fill it; None if they cannot."""
    elements, sizes = math.prod(shape), [int(size) for size in wanted]
    if sizes.count(-1) == 1:
        rest = -math.prod(sizes)
        if rest <= 0 or elements % rest:
            return None
        sizes[sizes.index(-1)] = elements // rest
    if any(size <= 0 for size in sizes) or math.prod(sizes) != elements:
        return None
    return tuple(sizes)


def _numbers(node: TfliteNode, option: str) -> Shape:
    """An option that is a vector, () if the file has none."""
    values = node.option(option, ())
    return tuple(values.tolist()) if isinstance(values, np.ndarray) else ()


def _constant(node: TfliteNode, what: str) -> Shape:
    value = node.constant(1)
    if value is None:
        problem = Problem(f"the {what} must be constant", node.name, hint="fixed sizes in the model")
        raise UnsupportedModelError([problem])
    return tuple(int(size) for size in value.reshape(-1))


def _squeezed(shape: Shape, axes: Shape) -> Shape:
    """Without those axes; without every axis of size 1 if none is named."""
    dropped = {axis % len(shape) for axis in axes} or {i for i, size in enumerate(shape) if size == 1}
    return tuple(size for axis, size in enumerate(shape) if axis not in dropped)


def _expanded(shape: Shape, axes: Shape) -> Shape:
    (axis,) = axes
    position = axis + len(shape) + 1 if axis < 0 else axis
    return (*shape[:position], 1, *shape[position:])


OPERATOR = Reshape()
