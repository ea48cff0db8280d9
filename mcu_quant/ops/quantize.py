"""quantize: float to integer, or one integer scale and type to another."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray, requantize
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, QuantRule, TfliteForm, least_rescaled
from mcu_quant.ops.unary import UnaryOperator, rescale_multiplier, rescale_rules


class Quantize(UnaryOperator):
    """Input: x, float32, int8, uint8 or int16. Output: one of the last three. Among floats it is nothing."""

    name = "quantize"
    absent_forms = MappingProxyType({"float": "there is nothing to convert"})
    float_is_exact = True
    tflite_builtins = ("QUANTIZE",)
    quant_rule = QuantRule()
    constraints = (
        Constraint(
            "the output must be int8, uint8 or int16",
            lambda node: node.output.dtype in ("int8", "uint8", "int16"),
            lambda node: node.output.dtype,
            "a full integer model",
        ),
        Constraint(
            "there is nothing between uint8 and int16",
            lambda node: "uint8" not in (node.input(0).dtype, node.output.dtype),
            lambda node: f"{node.input(0).dtype} and {node.output.dtype}",
            "int8, int16 or float32 inputs and outputs",
            ("int16",),
        ),
        *rescale_rules(),
    )

    def least_output_scale(self, attrs: None, input_scales: Sequence[float], dtype: str) -> float:
        return least_rescaled(input_scales[0], dtype) if input_scales else 0.0

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("QUANTIZE", 1, "QuantizeOptions")

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return x

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        y = requantize(q - node.input(0).zero_point, *rescale_multiplier(node))
        return y + node.output.zero_point

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        if x.dtype != np.float32:
            return super().run_integer(node, inputs)
        return (quantize_float(x, node.output.scale, node.output.zero_point, node.output.dtype),)


def quantize_float(x: np.ndarray, scale: float, zero_point: int, dtype: str) -> np.ndarray:
    """round-half-away(x / scale) + zero_point, limited to the type. C twin: mq_quantize_f32.

    The division is float32's. Infinities saturate; NaN, which no integer stands for, counts as 0.0.
    """
    limits = np.iinfo(dtype)
    with np.errstate(over="ignore"):
        ratio = (x / np.float32(scale)).astype(np.float64)
    ratio = np.clip(np.where(np.isnan(ratio), 0.0, ratio), -(2.0**17), 2.0**17)
    rounded = np.trunc(ratio + np.copysign(0.5, ratio)).astype(np.int64)
    return np.clip(rounded + zero_point, limits.min, limits.max).astype(dtype)


OPERATOR = Quantize()
