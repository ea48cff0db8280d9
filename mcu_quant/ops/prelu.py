"""prelu: x where it is positive, alpha * x elsewhere; alpha has as many elements as x, or is repeated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode, ValueRange
from mcu_quant.ops.base import Constraint, QuantRule, TfliteForm, product_ratio, to_output
from mcu_quant.ops.binary import BinaryOperator
from mcu_quant.ops.broadcast import BROADCASTS
from mcu_quant.ops.forms import FORMS, form_of
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.unary import RESCALED_STEPS, rescale_multiplier, rescale_rules


def negative_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) of the products with alpha."""
    return quantize_multiplier(product_ratio(node))


def _products_fit(node: BoundNode) -> bool:
    """Whether what a product may be can be shifted as negative_multiplier says, in int32."""
    return RESCALED_STEPS[form_of(node)] * 255 * 2 ** max(negative_multiplier(node)[1], 0) <= INT32_MAX


class Prelu(BinaryOperator):
    """Inputs: x, alpha. alpha is int8 in int16 models, too."""

    name = "prelu"
    float_is_exact = True
    tflite_builtins = ("PRELU",)
    keras_layers = ("PReLU",)
    quant_rule = QuantRule(int8_constants=(1,))
    constraints = (
        BROADCASTS,
        Constraint(
            "the output must have x's shape",
            lambda node: node.output.shape == node.input(0).shape,
            lambda node: f"{node.output.shape} and {node.input(0).shape}",
            forms=FORMS,
        ),
        Constraint(
            "alpha must be constant in int16",
            lambda node: node.input(1).is_constant,
            lambda node: node.input(1).name,
            "an int8 model",
            ("int16",),
        ),
        *rescale_rules(),
        Constraint(
            "scale(x) * scale(alpha) / scale(output) must be below 2**15, in int16 below 2**8",
            _products_fit,
            product_ratio,
            "calibrate with representative data",
        ),
    )

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        """alpha: the shape of one sample, 1 along the shared axes."""
        (x,) = inputs
        (alpha,) = layer.weights
        shape = builder.shape(x)[1:]
        if alpha.ndim != len(shape) or any(a not in (1, s) for a, s in zip(alpha.shape, shape, strict=True)):
            raise LayerRefused("alpha must have the shape of a sample, or 1", value=f"{alpha.shape}")
        return builder.add(self.name, layer.name, None, [x, builder.constant(f"{layer.name}/alpha", alpha)])

    def least_output_scale(self, attrs: None, input_scales: Sequence[float], dtype: str) -> float:
        """As for a rescaled input; the product of two is shifted left by less than 2**15, or 2**8."""
        x, alpha = input_scales
        return max(x / 2**20, x * alpha / 2**14) if dtype == "int8" else max(x / 2**14, x * alpha / 2**7)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("PRELU", 1)

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        """With an alpha below 0 outputs fall and then rise: 0, where they turn, counts too."""
        (known,) = super().value_range(node)
        if known is None:
            return (None,)
        turn = node.output.zero_point
        return (ValueRange(np.minimum(known.low, turn), np.maximum(known.high, turn)),)

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.where(a >= 0, a, a * b)

    def integer(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        x = a.astype(np.int64) - node.input(0).zero_point
        alpha = b.astype(np.int64) - node.input(1).zero_point
        positive = requantize(x, *rescale_multiplier(node))
        negative = requantize(np.minimum(x, 0) * alpha, *negative_multiplier(node))
        return to_output(np.where(x >= 0, positive, negative) + node.output.zero_point, node.output)


OPERATOR = Prelu()
