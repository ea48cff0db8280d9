"""relu: max(x, 0), rescaled to the output's scale. Keras's ReLU layer with all its options starts here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcu_quant.fixed_point import IntArray, requantize
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import QuantRule, TfliteForm, TfliteNode, float_activation, least_rescaled
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.leaky_relu import LeakyReluAttrs
from mcu_quant.ops.relu6 import Relu6Attrs
from mcu_quant.ops.unary import UnaryOperator, rescale_multiplier, rescale_rules


@dataclass(frozen=True)
class ReluAttrs:
    pass


class Relu(UnaryOperator):
    """Input: x."""

    name = "relu"
    attrs_type = ReluAttrs
    float_is_exact = True
    tflite_builtins = ("RELU",)
    keras_layers = ("ReLU",)
    keras_activations = {"relu": ReluAttrs()}  # noqa: RUF012 - a Mapping that nothing writes to
    quant_rule = QuantRule()
    constraints = rescale_rules()

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        return _Decomposition(layer, builder).add(x)

    def from_tflite(self, node: TfliteNode) -> tuple[ReluAttrs, tuple[Tensor | None, ...]]:
        return ReluAttrs(), node.inputs

    def least_output_scale(self, attrs: ReluAttrs, input_scales: Sequence[float], dtype: str) -> float:
        return least_rescaled(input_scales[0], dtype)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("RELU", 2)

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return float_activation(x, "relu")

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        zero_point = node.output.zero_point
        y = requantize(q - node.input(0).zero_point, *rescale_multiplier(node)) + zero_point
        return np.maximum(y, zero_point)


class _Decomposition:
    """Keras's ReLU as operators that TFLite has.

    With m = max_value, t = threshold, a = negative_slope, Keras computes min(x, m) where x > t, and
    a * (x - t) elsewhere (keras/src/activations/activations.py).
    """

    def __init__(self, layer: KerasLayer, builder: GraphBuilder) -> None:
        self.layer, self.builder = layer, builder
        maximum = layer.config.get("max_value")
        self.maximum = None if maximum is None else self.option("max_value")
        self.slope = self.option("negative_slope")
        self.threshold = self.option("threshold")

    def option(self, key: str) -> float:
        value = self.layer.config.get(key)
        if isinstance(value, Mapping):  # a NumPy number, as Keras 3 stores it
            value = value.get("config", {}).get("value")
        number = float(np.asarray(0.0 if value is None else value).reshape(()))
        if not np.isfinite(number) or number < 0:
            raise LayerRefused(f"{key} must be a finite number and not negative", value=value)
        return number

    def add(self, x: str) -> str:
        if self.threshold:
            return self.with_threshold(x)
        if self.slope:
            return self.minimum(
                self.node("leaky_relu", LeakyReluAttrs(float(np.float32(self.slope))), self.part(), [x])
            )
        if self.maximum == 6.0:
            return self.node("relu6", Relu6Attrs(), "", [x])
        return self.minimum(self.node("relu", ReluAttrs(), self.part(), [x]))

    def part(self) -> str:
        """What an activation before a minimum is called; alone it has the layer's name."""
        return "" if self.maximum is None else "positive"

    def with_threshold(self, x: str) -> str:
        threshold = self.constant("threshold", self.threshold)
        below = self.node("greater_equal", None, "below", [threshold, x])
        negative = self.constant("zero", 0.0)
        if self.slope:
            slope = self.constant("slope", self.slope)
            negative = self.node("sub", ArithmeticAttrs(), "difference", [x, threshold])
            negative = self.node("mul", ArithmeticAttrs(), "negative", [negative, slope])
        positive = self.minimum(x, "positive")
        return self.node("select_v2", None, "", [below, negative, positive])

    def minimum(self, x: str, part: str = "") -> str:
        if self.maximum is None:
            return x
        return self.node("minimum", None, part, [x, self.constant("max_value", self.maximum)])

    def node(self, op: str, attrs: Any, part: str, inputs: Sequence[str]) -> str:
        name = f"{self.layer.name}/{part}" if part else self.layer.name
        return self.builder.add(op, name, attrs, inputs)

    def constant(self, what: str, value: float) -> str:
        return self.builder.constant(f"{self.layer.name}/{what}", np.full(1, value, np.float32))


OPERATOR = Relu()
