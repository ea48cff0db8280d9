"""conv_2d: a filter per output channel, slid over height and width. Weights OHWI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.keras_spatial import dimensions_of, over_space, padding_of, pair
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.windows import ONE_BATCH, Padding, WindowAxes, images, window_axes, window_columns


@dataclass(frozen=True)
class Conv2DAttrs:
    """strides, dilation: (height, width). padding: "same" or "valid". hybrid: see linear.LinearOperator.

    The groups follow from the shapes: input channels / weights.shape[3].
    """

    strides: tuple[int, int] = (1, 1)
    padding: Padding = "same"
    dilation: tuple[int, int] = (1, 1)
    activation: str = "none"
    hybrid: bool = False


class Conv2D(linear.LinearOperator):
    """Inputs: x [1, H, W, C], weights [O, filter_h, filter_w, C / groups], bias [O] or absent."""

    name = "conv_2d"
    attrs_type = Conv2DAttrs
    tflite_builtins = ("CONV_2D",)
    keras_layers = ("Conv1D", "Conv2D")
    quant_rule = QuantRule(weights=WeightRule(index=1, channel_axis=0), bias=2)
    constraints = (
        ONE_BATCH,
        Constraint(
            "input channels must be a multiple of the filters' channels, and output channels of the groups",
            lambda node: groups_fit(node.input(0).shape, node.input(1).shape),
            lambda node: f"input {node.input(0).shape}, weights {node.input(1).shape}",
            forms=FORMS,
        ),
        *linear.CONSTRAINTS,
    )

    def output_shapes(self, attrs: Conv2DAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, weights = input_shapes[0], input_shapes[1]
        height, width = _axes(attrs, x, weights)
        return ((x[0], height.output_size, width.output_size, weights[0]),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        config, dimensions = layer.config, dimensions_of(layer)
        kernel = layer.weights[0][:, None] if dimensions == 1 else layer.weights[0]
        attrs = Conv2DAttrs(
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
        attrs: Conv2DAttrs,
    ) -> str:
        """Add one convolution. kernel: HWIO as Keras has it. bias: one vector or nothing."""
        inputs = [x, builder.constant(f"{name}/kernel", np.transpose(kernel, (3, 0, 1, 2)))]
        inputs += [builder.constant(f"{name}/bias", vector) for vector in bias]
        return builder.add(self.name, name, attrs, inputs)

    def from_tflite(self, node: TfliteNode) -> tuple[Conv2DAttrs, tuple[Tensor | None, ...]]:
        attrs = Conv2DAttrs(
            strides=node.sizes("StrideH", "StrideW"),
            padding=node.choice("Padding", PADDINGS),
            dilation=node.sizes("DilationHFactor", "DilationWFactor", 1),
            activation=node.choice("FusedActivationFunction", ACTIVATIONS),
            hybrid=linear.is_hybrid(node),
        )
        weights = node.inputs[1]
        return attrs, linear.bias_that_is_implied(node, 0 if weights is None else weights.shape[0])

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        version = 5 if node.attrs.hybrid else 3
        return TfliteForm("CONV_2D", version, "Conv2DOptions", window_options(node.attrs))

    def sums(self, node: BoundNode, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        axes = axes_of(node)
        columns = window_columns(images(x, node.input(0).shape), axes)
        units, _, _, depth = weights.shape
        groups = columns.shape[-1] // depth
        per_group = units // groups
        sums = np.empty((len(x), *node.output.shape[1:]), x.dtype)
        for group in range(groups):
            # A product for each output row: one large product would go to BLAS's threads, which cost more
            # than they save where cores are busy.
            taps = columns[..., group * depth : (group + 1) * depth].reshape(*columns.shape[:3], -1)
            outputs = slice(group * per_group, (group + 1) * per_group)
            np.matmul(taps, weights[outputs].reshape(per_group, -1).T, out=sums[..., outputs])
        return sums.reshape(len(x), *node.output.shape)

    def temporary_elements(self, node: BoundNode) -> int:
        taps = node.input(1).elements // node.input(1).shape[0]
        return node.output.elements // node.output.shape[-1] * taps + node.output.elements

    def macs(self, node: BoundNode) -> int:
        return node.output.elements * node.input(1).elements // node.input(1).shape[0]


def is_causal(layer: KerasLayer) -> bool:
    """Whether no output reads what comes after it; over time only."""
    return layer.config.get("padding") == "causal" and dimensions_of(layer) == 1


def add_causal_border(builder: GraphBuilder, name: str, x: str, before: int) -> str:
    """x [1, T, 1, C] with so many zeros before it."""
    pads = PadAttrs(((0, 0), (before, 0), (0, 0), (0, 0)))
    return builder.add("pad", f"{name}/causal", pads, [x]) if before else x


def axes_of(node: BoundNode) -> WindowAxes:
    return _axes(node.attrs, node.input(0).shape, node.input(1).shape)


def _axes(attrs: Conv2DAttrs, x: Shape, weights: Shape) -> WindowAxes:
    return window_axes(attrs.padding, x, (weights[1], weights[2]), attrs.strides, attrs.dilation)


def groups_fit(x: Shape, weights: Shape) -> bool:
    return x[3] % weights[3] == 0 and weights[0] % (x[3] // weights[3]) == 0


def window_options(attrs: Conv2DAttrs) -> dict[str, int]:
    """The fields that Conv2DOptions and DepthwiseConv2DOptions share (schema.fbs)."""
    return {
        "Padding": PADDINGS.index(attrs.padding),
        "StrideW": attrs.strides[1],
        "StrideH": attrs.strides[0],
        "FusedActivationFunction": ACTIVATIONS.index(attrs.activation),
        "DilationWFactor": attrs.dilation[1],
        "DilationHFactor": attrs.dilation[0],
    }


OPERATOR = Conv2D()
