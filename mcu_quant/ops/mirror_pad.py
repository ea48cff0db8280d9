"""mirror_pad: a border of what lies inside, mirrored at the edge. Raw bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import SAME_SCALE, Constraint, Operator, QuantRule, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.forms import FORMS, PLAIN_TYPES
from mcu_quant.ops.pad import Paddings, kept_channels, padded_shape, read_paddings

MAX_AXES = 5
#: In the order of TFLite's MirrorPadMode (schema.fbs): without and with the edge itself in the mirror.
MODES = ("reflect", "symmetric")


@dataclass(frozen=True)
class MirrorPadAttrs:
    """paddings: (before, after) for every axis, the batch's included. mode: of MODES, as in numpy.pad."""

    paddings: Paddings
    mode: str


def _largest(node: BoundNode) -> tuple[int, ...]:
    """How wide the border may be along each axis."""
    return tuple(size - (node.attrs.mode == "reflect") for size in node.input(0).shape)


class MirrorPad(Operator):
    """Input: x."""

    name = "mirror_pad"
    attrs_type = MirrorPadAttrs
    float_is_exact = True
    is_selection = True
    tflite_builtins = ("MIRROR_PAD",)
    plain_form = PLAIN_TYPES
    oracles = MappingProxyType({"int16": "LiteRT", "plain": "LiteRT"})
    quant_rule = QuantRule(output="same")
    constraints = (
        SAME_SCALE,
        Constraint(
            "a mirrored border must not be wider than what it mirrors",
            lambda node: all(
                max(paddings) <= size
                for size, paddings in zip(_largest(node), node.attrs.paddings, strict=True)
            ),
            lambda node: f"{node.attrs.paddings} around {node.input(0).shape}, {node.attrs.mode}",
            "a narrower border",
            forms=FORMS,
        ),
        Constraint(
            f"at most {MAX_AXES} axes",
            lambda node: len(node.input(0).shape) <= MAX_AXES,
            lambda node: node.input(0).shape,
            "reshape before and after padding",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: MirrorPadAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (padded_shape(input_shapes[0], attrs.paddings),)

    def from_tflite(self, node: TfliteNode) -> tuple[MirrorPadAttrs, tuple[Tensor | None, ...]]:
        return MirrorPadAttrs(read_paddings(node), MODES[node.option("Mode")]), node.inputs[:1]

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        mode, paddings = MODES.index(node.attrs.mode), np.array(node.attrs.paddings, np.int32)
        return TfliteForm("MIRROR_PAD", 2, "MirrorPadOptions", {"Mode": mode}, (paddings,))

    def is_monotone(self, node: BoundNode) -> bool:
        return True

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        return kept_channels(node)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (np.pad(x, ((0, 0), *node.attrs.paddings), mode=node.attrs.mode),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


OPERATOR = MirrorPad()
