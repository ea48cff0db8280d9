"""concatenation: several inputs one after the other along an axis. Raw bytes: one scale for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import ACTIVATIONS, Constraint, Operator, QuantRule, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.forms import FORMS, PLAIN_TYPES
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.raw import ONE_SCALE

#: As many as TFLM takes (kMaxInputNum in concatenation.cc).
MAX_INPUTS = 10
#: A tensor, as whoever builds a graph names it.
Part = TypeVar("Part")


@dataclass(frozen=True)
class ConcatenationAttrs:
    """axis: not negative; 0 is the batch's."""

    axis: int


class Concatenation(Operator):
    """Inputs: one or more, of equal shapes but for the axis."""

    name = "concatenation"
    plain_form = PLAIN_TYPES
    oracles = MappingProxyType({"plain": "LiteRT"})
    attrs_type = ConcatenationAttrs
    float_is_exact = True
    is_selection = True
    tflite_builtins = ("CONCATENATION",)
    keras_layers = ("Concatenate",)
    quant_rule = QuantRule(output="same")
    constraints = (
        ONE_SCALE,
        Constraint(
            f"at most {MAX_INPUTS} inputs",
            lambda node: len(node.inputs) <= MAX_INPUTS,
            lambda node: len(node.inputs),
            "concatenate in several steps",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: ConcatenationAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        first, axis = input_shapes[0], attrs.axis
        for shape in input_shapes:
            if (*shape[:axis], *shape[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
                raise ValueError(f"{first} and {shape} cannot be concatenated along axis {axis}")
        return ((*first[:axis], sum(shape[axis] for shape in input_shapes), *first[axis + 1 :]),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        """More inputs than TFLM takes become a chain."""
        shapes = [builder.shape(x) for x in inputs]
        axis = layer.config.get("axis", -1)
        rank = len(shapes[0])
        if not isinstance(axis, int) or not -rank <= axis < rank or axis % rank == 0:
            raise LayerRefused("axis must be one of the input's, not the batch's", value=axis, hint="axis=-1")
        attrs = ConcatenationAttrs(axis % rank)
        try:
            self.output_shapes(attrs, shapes)
        except ValueError as error:
            raise LayerRefused(
                "the inputs' shapes must be equal but for the axis", value=f"{shapes}, axis {axis}"
            ) from error
        return in_steps(inputs, layer.name, lambda name, some: builder.add(self.name, name, attrs, some))

    def from_tflite(self, node: TfliteNode) -> tuple[ConcatenationAttrs, tuple[Tensor | None, ...]]:
        axis, rank = int(node.option("Axis")), len(node.outputs[0].shape)
        if not -rank <= axis < rank:
            raise InvalidModelError(f"the axis must be within {rank} axes", layer=node.name, value=axis)
        activation = node.choice("FusedActivationFunction", ACTIVATIONS)
        if activation != "none":
            rule = "a concatenation must have no fused activation"
            raise UnsupportedModelError([Problem(rule, node.name, activation, "activate the inputs")])
        return ConcatenationAttrs(axis % rank), node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("CONCATENATION", 2, "ConcatenationOptions", {"Axis": node.attrs.axis})

    def is_monotone(self, node: BoundNode) -> bool:
        return True

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        parts = [
            x if x.ndim > len(tensor.shape) else x[None]
            for x, tensor in zip(inputs, node.inputs, strict=True)
            if x is not None and tensor is not None
        ]
        samples = max(len(part) for part in parts)
        parts = [np.broadcast_to(part, (samples, *part.shape[1:])) for part in parts]
        return (np.concatenate(parts, axis=node.attrs.axis + 1),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


def in_steps(inputs: Sequence[Part], name: str, concatenate: Callable[[str, list[Part]], Part]) -> Part:
    """The inputs as one, never more than MAX_INPUTS at once. concatenate(name of the node, some of them)."""
    waiting, step = list(inputs), 0
    while len(waiting) > MAX_INPUTS:
        step += 1
        waiting = [concatenate(f"{name}/{step}", waiting[:MAX_INPUTS]), *waiting[MAX_INPUTS:]]
    return concatenate(name, waiting)


OPERATOR = Concatenation()
