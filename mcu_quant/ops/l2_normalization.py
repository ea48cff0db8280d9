"""l2_normalization: each row, along the last axis, over its Euclidean length."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.fixed_point import INT32_MAX, inverse_sqrt, requantize
from mcu_quant.ir import BoundNode, QuantParams, Tensor
from mcu_quant.ops.base import (
    ACTIVATIONS,
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    fixed_output,
    to_output,
)
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.keras_axes import axes_of_samples, on_last_axis
from mcu_quant.ops.unary import RESCALED_STEPS

_OUTPUT = QuantParams.per_tensor(1 / 128)
#: The output's steps are 2**-OUTPUT_BITS.
OUTPUT_BITS = 7
#: The length that shorter rows count as having, in float; in int8 it is one step.
SHORTEST = np.float32(1e-6)
MOST_ELEMENTS = INT32_MAX // RESCALED_STEPS["int8"] ** 2


class L2Normalization(Operator):
    """Input: x [..., C]. No attributes: TFLM has it without a fused activation alone."""

    name = "l2_normalization"
    tflite_builtins = ("L2_NORMALIZATION",)
    keras_layers = ("UnitNormalization",)
    absent_forms = MappingProxyType({"int16": "TFLM and LiteRT have none"})
    quant_rule = QuantRule(output="fixed", fixed=_OUTPUT)
    constraints = (
        fixed_output(_OUTPUT, "int8"),
        Constraint(
            f"rows must have at most {MOST_ELEMENTS} elements",
            lambda node: node.input(0).shape[-1] <= MOST_ELEMENTS,
            lambda node: node.input(0).shape[-1],
        ),
    )

    def output_shapes(self, attrs: None, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (input_shapes[0],)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        axes = axes_of_samples(layer.config.get("axis", -1), len(builder.shape(x)))

        def body(x: str) -> str:
            return builder.add(self.name, layer.name, None, [x])

        return on_last_axis(layer.name, x, builder, axes, body)

    def from_tflite(self, node: TfliteNode) -> tuple[Any, tuple[Tensor | None, ...]]:
        if activation := node.option("FusedActivationFunction"):
            rule = "an L2 normalization must have no fused activation"
            value = ACTIVATIONS[activation] if activation < len(ACTIVATIONS) else activation
            raise UnsupportedModelError([Problem(rule, node.name, str(value), "an operator of its own")])
        return None, node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("L2_NORMALIZATION", 2, "L2NormOptions", {"FusedActivationFunction": 0})

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        length = np.sqrt((x * x).sum(axis=-1, keepdims=True, dtype=np.float32))
        return (x / np.maximum(length, SHORTEST),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        steps = x.astype(np.int64) - node.input(0).zero_point
        multiplier, shift = inverse_sqrt((steps * steps).sum(axis=-1, keepdims=True))
        return (to_output(requantize(steps, multiplier, shift + OUTPUT_BITS), node.output),)


OPERATOR = L2Normalization()
