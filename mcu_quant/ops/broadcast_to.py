"""broadcast_to: axes of size 1 repeated to the sizes of another shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Constraint, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.broadcast import broadcast_shape
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.keras_spatial import reshape
from mcu_quant.ops.mover import Mover, Path, element_strides

#: As many as TFLM broadcasts to.
MAX_AXES = 5


@dataclass(frozen=True)
class BroadcastToAttrs:
    """shape: the output's full shape, batch included."""

    shape: Shape


class BroadcastTo(Mover):
    name = "broadcast_to"
    attrs_type = BroadcastToAttrs
    tflite_builtins = ("BROADCAST_TO",)
    keras_layers = ("RepeatVector",)
    constraints = (
        *Mover.constraints,
        Constraint(
            f"at most {MAX_AXES} axes",
            lambda node: len(node.output.shape) <= MAX_AXES,
            lambda node: node.output.shape,
            "reshape before and after",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: BroadcastToAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = input_shapes
        if broadcast_shape(x, attrs.shape) != tuple(attrs.shape):
            raise ValueError(f"{x} does not broadcast to {attrs.shape}")
        return (attrs.shape,)

    def path(self, attrs: BroadcastToAttrs, shape: Shape) -> Path:
        added = len(attrs.shape) - len(shape)
        strides = (0,) * added + element_strides(shape)
        sizes = (1,) * added + tuple(shape)
        return Path(0, attrs.shape, tuple(0 if n == 1 else s for n, s in zip(sizes, strides, strict=True)))

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        batch, *sizes = builder.shape(x)
        count = layer.config.get("n")
        if len(sizes) != 1 or not isinstance(count, int) or count < 1:
            raise LayerRefused("RepeatVector must repeat vectors, once or more", value=f"{sizes}, n={count}")
        vector = reshape(builder, f"{layer.name}/expand", x, (batch, 1, *sizes))
        return builder.add(self.name, layer.name, BroadcastToAttrs((batch, count, *sizes)), [vector])

    def from_tflite(self, node: TfliteNode) -> tuple[BroadcastToAttrs, tuple[Tensor | None, ...]]:
        x, shape = node.inputs[0], node.constant(1)
        assert x is not None
        if shape is None:
            problem = Problem("the shape must be constant", node.name, hint="fixed sizes in the model")
            raise UnsupportedModelError([problem])
        sizes = tuple(int(size) for size in shape.reshape(-1))
        if sizes != node.outputs[0].shape:
            raise InvalidModelError(
                "the shape must be the output's", layer=node.name, value=f"{sizes}, {node.outputs[0].shape}"
            )
        return BroadcastToAttrs(sizes), (x,)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        shape = np.array(node.attrs.shape, np.int32)
        return TfliteForm("BROADCAST_TO", 3, "BroadcastToOptions", {}, (shape,))

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        channels, wanted = node.input(0).shape[-1:], node.output.shape[-1:]
        return np.arange(wanted[0]) if wanted and channels == wanted else None

    def with_channels(self, attrs: BroadcastToAttrs, channels: int) -> BroadcastToAttrs:
        return replace(attrs, shape=(*attrs.shape[:-1], channels))

    def moved(self, attrs: BroadcastToAttrs, x: np.ndarray) -> np.ndarray:
        added = len(attrs.shape) - (x.ndim - 1)
        aligned = x.reshape(len(x), *(1,) * added, *x.shape[1:])
        return np.ascontiguousarray(np.broadcast_to(aligned, (len(x), *attrs.shape)))


OPERATOR = BroadcastTo()
