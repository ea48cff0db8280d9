"""depthwise_conv_2d: each input channel has its own filters. Weights 1HWO, O = channels * multiplier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops import linear
from mcu_quant.ops.base import (
    ACTIVATIONS,
    PADDINGS,
    Constraint,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    WeightRule,
)
from mcu_quant.ops.conv_2d import add_causal_border, axes_of, is_causal, window_options
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.keras_spatial import dimensions_of, over_space, padding_of, pair
from mcu_quant.ops.windows import ONE_BATCH, Padding, images, window_axes


@dataclass(frozen=True)
class DepthwiseConv2DAttrs:
    """strides, dilation: (height, width). padding: "same" or "valid". hybrid: see linear.LinearOperator.

    The depth multiplier follows from the shapes; output channel = input channel * multiplier + m.
    """

    strides: tuple[int, int] = (1, 1)
    padding: Padding = "same"
    dilation: tuple[int, int] = (1, 1)
    activation: str = "none"
    hybrid: bool = False


class DepthwiseConv2D(linear.LinearOperator):
    """Inputs: x [1, H, W, C], weights [1, filter_h, filter_w, O], bias [O] or absent."""

    name = "depthwise_conv_2d"
    attrs_type = DepthwiseConv2DAttrs
    tflite_builtins = ("DEPTHWISE_CONV_2D",)
    keras_layers = ("DepthwiseConv1D", "DepthwiseConv2D")
    quant_rule = QuantRule(weights=WeightRule(index=1, channel_axis=3), bias=2)
    constraints = (
        ONE_BATCH,
        Constraint(
            "output channels must be a multiple of input channels",
            lambda node: node.input(1).shape[3] % node.input(0).shape[3] == 0,
            lambda node: f"input {node.input(0).shape}, weights {node.input(1).shape}",
            forms=FORMS,
        ),
        *linear.INT64_BIAS_CONSTRAINTS,
    )

    def output_shapes(self, attrs: DepthwiseConv2DAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, weights = input_shapes[0], input_shapes[1]
        height, width = window_axes(attrs.padding, x, (weights[1], weights[2]), attrs.strides, attrs.dilation)
        return ((x[0], height.output_size, width.output_size, weights[3]),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        config, dimensions = layer.config, dimensions_of(layer)
        kernel = layer.weights[0][:, None] if dimensions == 1 else layer.weights[0]
        attrs = DepthwiseConv2DAttrs(
            strides=pair(config.get("strides", 1), dimensions),
            padding="valid" if is_causal(layer) else padding_of(config),
            dilation=pair(config.get("dilation_rate", 1), dimensions),
        )

        def body(x: str) -> str:
            if is_causal(layer):
                x = add_causal_border(builder, layer.name, x, (kernel.shape[0] - 1) * attrs.dilation[0])
            y = self.add_to(builder, layer.name, x, kernel, layer.weights[1:], attrs)
            return builder.activation(layer.name, config.get("activation"), y)

        return over_space(layer, x, builder, body)

    def add_to(
        self,
        builder: GraphBuilder,
        name: str,
        x: str,
        kernel: np.ndarray,
        bias: Sequence[np.ndarray],
        attrs: DepthwiseConv2DAttrs,
    ) -> str:
        """Add one depthwise convolution. kernel: [H, W, C, multiplier] as Keras has it. bias: one or none."""
        weights = kernel.reshape(1, *kernel.shape[:2], -1)
        inputs = [x, builder.constant(f"{name}/kernel", weights)]
        inputs += [builder.constant(f"{name}/bias", vector) for vector in bias]
        return builder.add(self.name, name, attrs, inputs)

    def from_tflite(self, node: TfliteNode) -> tuple[DepthwiseConv2DAttrs, tuple[Tensor | None, ...]]:
        attrs = DepthwiseConv2DAttrs(
            strides=node.sizes("StrideH", "StrideW"),
            padding=node.choice("Padding", PADDINGS),
            dilation=node.sizes("DilationHFactor", "DilationWFactor", 1),
            activation=node.choice("FusedActivationFunction", ACTIVATIONS),
            hybrid=linear.is_hybrid(node),
        )
        return attrs, node.inputs

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        options = {**window_options(node.attrs), "DepthMultiplier": depth_multiplier(node)}
        version = 6 if node.attrs.hybrid else 3
        return TfliteForm("DEPTHWISE_CONV_2D", version, "DepthwiseConv2DOptions", options)

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        return np.arange(node.output.shape[-1]) // depth_multiplier(node)

    def sums(self, node: BoundNode, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        height, width = axes_of(node)
        x = images(x, node.input(0).shape)
        multiplier = depth_multiplier(node)
        if multiplier > 1:
            x = np.repeat(x, multiplier, axis=3)
        sums = np.zeros((len(x), *node.output.shape[1:]), x.dtype)
        for tap_y in range(height.filter_size):
            out_y, in_y = height.reach(tap_y)
            for tap_x in range(width.filter_size):
                out_x, in_x = width.reach(tap_x)
                sums[:, out_y, out_x] += x[:, in_y, in_x] * weights[0, tap_y, tap_x]
        return sums.reshape(len(x), *node.output.shape)

    def temporary_elements(self, node: BoundNode) -> int:
        return node.input(0).elements * depth_multiplier(node) + 2 * node.output.elements

    def macs(self, node: BoundNode) -> int:
        return node.output.elements * node.input(1).elements // node.input(1).shape[3]


def depth_multiplier(node: BoundNode) -> int:
    return node.input(1).shape[3] // node.input(0).shape[3]


OPERATOR = DepthwiseConv2D()
