"""dequantize: integer to float32."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Constraint, Operator, QuantRule, Shape, TfliteForm, TfliteNode


class Dequantize(Operator):
    """Input: x, int8, uint8 or int16 (float32 in a float graph, where it is nothing). Output: float32."""

    name = "dequantize"
    absent_forms = MappingProxyType({"float": "there is nothing to convert"})
    is_elementwise = True
    float_is_exact = True
    tflite_builtins = ("DEQUANTIZE",)
    quant_rule = QuantRule(output="float")
    constraints = (
        Constraint(
            "the input must be int8, uint8 or int16",
            lambda node: node.input(0).dtype in ("int8", "uint8", "int16"),
            lambda node: node.input(0).dtype,
            "a full integer model",
        ),
    )

    def output_shapes(self, attrs: Any, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (input_shapes[0],)

    def from_tflite(self, node: TfliteNode) -> tuple[Any, tuple[Tensor | None, ...]]:
        return None, node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        x = node.input(0)
        per_channel = x.quant is not None and x.quant.channel_axis is not None
        version = 5 if per_channel else 3 if x.dtype == "float16" else 2
        return TfliteForm("DEQUANTIZE", version, "DequantizeOptions")

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (x,)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        """One float32 multiplication each. C twin: mq_dequantize_f32."""
        (x,) = inputs
        assert x is not None
        tensor = node.input(0)
        steps = x.astype(np.int32) - np.int32(tensor.zero_point)
        with np.errstate(over="ignore"):  # scales near float32's limit give infinities, in C, too
            return (steps.astype(np.float32) * np.float32(tensor.scale),)


OPERATOR = Dequantize()
