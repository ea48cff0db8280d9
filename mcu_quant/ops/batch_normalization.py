"""batch_normalization: a scale and a shift per channel, as Keras writes it. Float only.

It has no integer form: the passes fold it into a neighbour or lower it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, Operator, Shape
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.keras_axes import axes_of_samples, on_last_axis


@dataclass(frozen=True)
class BatchNormalizationAttrs:
    """axis: of the channels; always -1, the last. epsilon: added to the variance."""

    epsilon: float = 1e-3
    axis: int = -1


class BatchNormalization(Operator):
    """Inputs: x [..., C] and constants [C]: gamma, beta, mean, variance."""

    name = "batch_normalization"
    keras_layers = ("BatchNormalization",)
    constraints = (
        Constraint(
            "batch normalization must have been folded",
            lambda node: False,
            forms=FORMS,
            hint="quantize the float model with mcu-quant quantize",
        ),
    )

    def output_shapes(
        self, attrs: BatchNormalizationAttrs, input_shapes: Sequence[Shape]
    ) -> tuple[Shape, ...]:
        return (input_shapes[0],)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        config = layer.config
        axes = axes_of_samples(config.get("axis", -1), len(builder.shape(x)))
        if len(axes) != 1:
            raise LayerRefused("batch normalization must be of one axis", value=axes, hint="axis=-1")
        channels = builder.shape(x)[axes[0]]
        weights = list(layer.weights)
        gamma = weights.pop(0) if config.get("scale", True) else np.ones(channels, np.float32)
        beta = weights.pop(0) if config.get("center", True) else np.zeros(channels, np.float32)
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        constants = [
            builder.constant(f"{layer.name}/{part}", value)
            for part, value in zip(names, (gamma, beta, *weights), strict=True)
        ]
        attrs = BatchNormalizationAttrs(epsilon=float(config.get("epsilon", 1e-3)))

        def body(x: str) -> str:
            return builder.add(self.name, layer.name, attrs, [x, *constants])

        return on_last_axis(layer.name, x, builder, axes, body)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x = inputs[0]
        assert x is not None
        scale, shift = scale_and_shift(node)
        return ((x * scale.astype(np.float32) + shift.astype(np.float32)).astype(np.float32),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        raise AssertionError(f"{node.name}: batch_normalization has no integer form")


def scale_and_shift(node: BoundNode) -> tuple[np.ndarray, np.ndarray]:
    """y = x * scale + shift, both float64 [C]."""
    gamma, beta, mean, variance = (node.input(i).data for i in range(1, 5))
    assert gamma is not None and beta is not None and mean is not None and variance is not None
    scale = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + node.attrs.epsilon)
    return scale, beta.astype(np.float64) - mean.astype(np.float64) * scale


OPERATOR = BatchNormalization()
