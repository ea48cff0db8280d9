"""transpose: the same elements, the axes in another order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Constraint, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.mover import Mover, Path, element_strides

#: As many as TFLM and LiteRT transpose.
MAX_AXES = 6


@dataclass(frozen=True)
class TransposeAttrs:
    """permutation: for each axis of the output, the input's axis that it is; not negative."""

    permutation: tuple[int, ...]


class Transpose(Mover):
    """Where only axes of size 1 change places it moves nothing, and is no code."""

    name = "transpose"
    attrs_type = TransposeAttrs
    tflite_builtins = ("TRANSPOSE",)
    keras_layers = ("Permute",)
    constraints = (
        *Mover.constraints,
        Constraint(
            f"at most {MAX_AXES} axes",
            lambda node: len(node.input(0).shape) <= MAX_AXES,
            lambda node: node.input(0).shape,
            "reshape before and after transposing",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: TransposeAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = input_shapes
        if sorted(attrs.permutation) != list(range(len(x))):
            raise ValueError(f"{attrs.permutation} is no order of {len(x)} axes")
        return (tuple(x[axis] for axis in attrs.permutation),)

    def path(self, attrs: TransposeAttrs, shape: Shape) -> Path:
        elements = element_strides(shape)
        order = attrs.permutation
        return Path(0, tuple(shape[axis] for axis in order), tuple(elements[axis] for axis in order))

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        axes = range(1, len(builder.shape(x)))
        order = tuple(int(axis) for axis in layer.config["dims"])
        if sorted(order) != list(axes):
            raise LayerRefused("dims must be an order of the axes behind the batch", value=order)
        return builder.add(self.name, layer.name, TransposeAttrs((0, *order)), [x])

    def from_tflite(self, node: TfliteNode) -> tuple[TransposeAttrs, tuple[Tensor | None, ...]]:
        x, order = node.inputs[0], node.constant(1)
        assert x is not None
        if order is None:
            problem = Problem("the permutation must be constant", node.name, hint="a fixed order of axes")
            raise UnsupportedModelError([problem])
        rank, axes = len(x.shape), order.reshape(-1).tolist()
        permutation = tuple(axis + rank if axis < 0 else axis for axis in axes)
        if sorted(permutation) != list(range(rank)):
            raise InvalidModelError(
                f"the permutation must have each of {rank} axes once", layer=node.name, value=axes
            )
        return TransposeAttrs(permutation), (x,)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        version = 4 if node.output.dtype == "int16" else 2
        order = np.array(node.attrs.permutation, np.int32)
        return TfliteForm("TRANSPOSE", version, "TransposeOptions", {}, (order,))

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        order = node.attrs.permutation
        return np.arange(node.output.shape[-1]) if order and order[-1] == len(order) - 1 else None

    def moved(self, attrs: TransposeAttrs, x: np.ndarray) -> np.ndarray:
        return x.transpose(0, *(axis + 1 for axis in attrs.permutation))


def joined(first: TransposeAttrs, second: TransposeAttrs) -> TransposeAttrs:
    """One transposition that does what the two do, one behind the other."""
    return TransposeAttrs(tuple(first.permutation[axis] for axis in second.permutation))


OPERATOR = Transpose()
