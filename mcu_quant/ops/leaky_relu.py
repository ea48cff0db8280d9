"""leaky_relu: x where x is positive, alpha * x elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray, requantize
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import QuantRule, TfliteForm, TfliteNode, least_rescaled
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.unary import UnaryOperator, rescale_multiplier, rescale_rules


@dataclass(frozen=True)
class LeakyReluAttrs:
    """alpha: the slope of the negative side, as a float32 value."""

    alpha: float


class LeakyRelu(UnaryOperator):
    """Input: x."""

    name = "leaky_relu"
    attrs_type = LeakyReluAttrs
    float_is_exact = True
    tflite_builtins = ("LEAKY_RELU",)
    keras_layers = ("LeakyReLU",)
    keras_activations = {  # noqa: RUF012 - a Mapping that nothing writes to
        "leaky_relu": LeakyReluAttrs(float(np.float32(0.2)))
    }
    quant_rule = QuantRule()
    constraints = (
        *rescale_rules(),
        *rescale_rules("|alpha| * scale(input) / scale(output)", lambda node: abs(node.attrs.alpha)),
    )

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        slope = layer.config.get("negative_slope", layer.config.get("alpha"))  # Keras 3, Keras 2
        if isinstance(slope, Mapping):  # a NumPy number, as Keras stores it
            slope = slope.get("config", slope).get("value")
        alpha = np.asarray(0.3 if slope is None else slope, np.float32)
        if alpha.size != 1 or not np.isfinite(alpha).all():
            raise LayerRefused("negative_slope must be one finite number", value=slope)
        return builder.add(self.name, layer.name, LeakyReluAttrs(float(alpha.reshape(()))), list(inputs))

    def from_tflite(self, node: TfliteNode) -> tuple[LeakyReluAttrs, tuple[Tensor | None, ...]]:
        return LeakyReluAttrs(float(node.option("Alpha", 0.0))), node.inputs

    def least_output_scale(self, attrs: LeakyReluAttrs, input_scales: Sequence[float], dtype: str) -> float:
        return least_rescaled(input_scales[0], dtype, abs(attrs.alpha))

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("LEAKY_RELU", 1, "LeakyReluOptions", {"Alpha": node.attrs.alpha})

    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        return np.where(x >= 0, x, x * np.float32(node.attrs.alpha))

    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        alpha = node.attrs.alpha
        x = q - node.input(0).zero_point
        negative = requantize(x, *rescale_multiplier(node, abs(alpha)))
        y = np.where(
            x >= 0,
            requantize(x, *rescale_multiplier(node)),
            -negative if alpha < 0 else negative,
        )
        return y + node.output.zero_point


OPERATOR = LeakyRelu()
