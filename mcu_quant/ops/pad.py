"""pad: a border of one value, 0 unless given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import SAME_SCALE, Constraint, Operator, QuantRule, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.forms import FORMS, PLAIN_TYPES
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, require_channels_last
from mcu_quant.ops.keras_spatial import before_and_after, dimensions_of

#: (before, after) for every axis.
Paddings = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class PadAttrs:
    """paddings: (before, after) for every axis of the input, the batch's (0, 0) included."""

    paddings: Paddings


class Pad(Operator):
    """Inputs: x, and the border's value (a constant of one element) if it is not 0."""

    name = "pad"
    plain_form = ("bool", "int32")
    oracles = MappingProxyType({"plain": "LiteRT"})
    attrs_type = PadAttrs
    float_is_exact = True
    is_selection = True
    tflite_builtins = ("PAD", "PADV2")
    keras_layers = ("ZeroPadding1D", "ZeroPadding2D")
    quant_rule = QuantRule(output="same")
    constraints = (
        SAME_SCALE,
        Constraint(
            "the border's value must be constant, of the output's scale and zero_point",
            lambda node: (
                (value := node.optional_input(1)) is None
                or (value.is_constant and value.elements == 1 and value.quant == node.output.quant)
            ),
            lambda node: node.input(1),
        ),
        Constraint(
            "the border's value must be one constant",
            lambda node: (
                (value := node.optional_input(1)) is None or (value.is_constant and value.elements == 1)
            ),
            lambda node: node.input(1).shape,
            forms=FORMS,
        ),
        Constraint(
            "at most 4 axes",
            lambda node: len(node.input(0).shape) <= 4,
            lambda node: node.input(0).shape,
            "reshape before and after padding",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: PadAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (padded_shape(input_shapes[0], attrs.paddings),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        require_channels_last(layer.config)
        spatial = before_and_after(layer.config.get("padding", 1), dimensions_of(layer), "padding")
        return builder.add(self.name, layer.name, PadAttrs(((0, 0), *spatial, (0, 0))), list(inputs))

    def from_tflite(self, node: TfliteNode) -> tuple[PadAttrs, tuple[Tensor | None, ...]]:
        return PadAttrs(read_paddings(node)), (node.inputs[0], *node.inputs[2:3])

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        paddings = np.array(node.attrs.paddings, np.int32)
        if node.optional_input(1) is None:
            return TfliteForm("PAD", 2, "PadOptions", {}, (paddings,))
        return TfliteForm("PADV2", 2, "PadV2Options", {}, (paddings,), inputs_before=1)

    def is_monotone(self, node: BoundNode) -> bool:
        return True

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        return kept_channels(node)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        value = inputs[1] if len(inputs) > 1 else None
        return (_padded(node, inputs[0], 0.0 if value is None else value.item()),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return (_padded(node, inputs[0], border_value(node)),)


def padded_shape(shape: Shape, paddings: Paddings) -> Shape:
    return tuple(before + size + after for size, (before, after) in zip(shape, paddings, strict=True))


def kept_channels(node: BoundNode) -> IntArray | None:
    """Operator.channel_sources of what pads: where the channels have no border."""
    return None if any(node.attrs.paddings[-1]) else np.arange(node.output.shape[-1])


def read_paddings(node: TfliteNode) -> Paddings:
    """The second input of an operator that pads the first."""
    x, paddings = node.inputs[0], node.constant(1)
    if x is None or paddings is None:
        problem = Problem("the paddings must be constant", node.name, hint="a fixed shape in the model")
        raise UnsupportedModelError([problem])
    if paddings.shape != (len(x.shape), 2) or (paddings < 0).any():
        raise InvalidModelError(
            f"paddings must be [{len(x.shape)}, 2] and not negative",
            layer=node.name,
            value=paddings.tolist(),
        )
    return tuple((int(before), int(after)) for before, after in paddings)


def border_value(node: BoundNode) -> int:
    """The raw value of an integer node's border: 0, as its output has it, where none is given."""
    value = node.optional_input(1)
    if value is not None and value.data is not None:
        return int(value.data.item())
    return 0 if node.output.dtype in PLAIN_TYPES else node.output.zero_point


def _padded(node: BoundNode, x: np.ndarray | None, value: float) -> np.ndarray:
    assert x is not None
    return np.pad(x, ((0, 0), *node.attrs.paddings), constant_values=value)


OPERATOR = Pad()
