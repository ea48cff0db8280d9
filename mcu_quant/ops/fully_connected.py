"""fully_connected: y = x . W^T + b over the last axis. Weights OI, per tensor or per channel (axis 0)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops import linear
from mcu_quant.ops.base import (
    ACTIVATIONS,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    WeightRule,
)
from mcu_quant.ops.keras import GraphBuilder, KerasLayer


@dataclass(frozen=True)
class FullyConnectedAttrs:
    """keep_num_dims: the output keeps the input's leading axes; else it is [rows, units].

    hybrid: see linear.LinearOperator. asymmetric: how it then quantizes its input.
    """

    activation: str = "none"
    keep_num_dims: bool = False
    hybrid: bool = False
    asymmetric: bool = True


class FullyConnected(linear.LinearOperator):
    """Inputs: x [..., in], weights [units, in], bias [units] or absent."""

    name = "fully_connected"
    attrs_type = FullyConnectedAttrs
    tflite_builtins = ("FULLY_CONNECTED",)
    keras_layers = ("Dense",)
    quant_rule = QuantRule(weights=WeightRule(index=1, channel_axis=0), bias=2)
    constraints = linear.CONSTRAINTS

    def output_shapes(self, attrs: FullyConnectedAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, (units, in_size) = input_shapes[0], input_shapes[1]
        if attrs.keep_num_dims:
            return ((*x[:-1], units),)
        return ((math.prod(x) // in_size, units),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        kernel, *rest = layer.weights
        weights = builder.constant(f"{layer.name}/kernel", kernel.T)
        bias = builder.constant(f"{layer.name}/bias", rest[0]) if rest else None
        attrs = FullyConnectedAttrs(keep_num_dims=len(builder.shape(x)) > 2)
        y = builder.add(self.name, layer.name, attrs, [x, weights, bias])
        return builder.activation(layer.name, layer.config.get("activation"), y)

    def from_tflite(self, node: TfliteNode) -> tuple[FullyConnectedAttrs, tuple[Tensor | None, ...]]:
        attrs = FullyConnectedAttrs(
            activation=node.choice("FusedActivationFunction", ACTIVATIONS),
            keep_num_dims=bool(node.option("KeepNumDims", False)),
            hybrid=(hybrid := linear.is_hybrid(node)),
            asymmetric=bool(node.option("AsymmetricQuantizeInputs", False)) if hybrid else True,
        )
        if node.option("WeightsFormat"):
            problem = Problem(
                "weights must be in their usual order",
                node.name,
                "WeightsFormat SHUFFLED4x16INT8",
                "convert the float model again: that order is for phones, and of uint8 models",
            )
            raise UnsupportedModelError([problem])
        weights = node.inputs[1]
        return attrs, linear.bias_that_is_implied(node, 0 if weights is None else weights.shape[0])

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        weights = node.input(1)
        per_channel = weights.quant is not None and weights.quant.channel_axis is not None
        options = {
            "FusedActivationFunction": ACTIVATIONS.index(node.attrs.activation),
            "KeepNumDims": node.attrs.keep_num_dims,
        }
        if node.attrs.hybrid and node.attrs.asymmetric:
            options["AsymmetricQuantizeInputs"] = True
        version = 12 if per_channel else 9 if node.attrs.hybrid else 5
        return TfliteForm("FULLY_CONNECTED", version, "FullyConnectedOptions", options)

    def sums(self, node: BoundNode, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        rows = x.reshape(-1, weights.shape[1])
        return (rows @ weights.T).reshape(len(x), *node.output.shape)

    def hybrid_rows(self, node: BoundNode) -> int:
        return node.input(0).elements // node.input(1).shape[1]

    def temporary_elements(self, node: BoundNode) -> int:
        return node.input(0).elements + node.output.elements

    def macs(self, node: BoundNode) -> int:
        units, in_size = node.input(1).shape
        return node.output.elements // units * units * in_size


OPERATOR = FullyConnected()
