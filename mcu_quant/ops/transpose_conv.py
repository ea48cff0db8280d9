"""transpose_conv: each input spreads its product with a filter over the output. Weights OHWI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
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
    window_output,
)
from mcu_quant.ops.conv_2d import OPERATOR as CONV_2D
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.keras_spatial import dimensions_of, over_space, padding_of, pair
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.windows import ONE_BATCH, TransposedAxes, images, transposed_axes


@dataclass(frozen=True)
class TransposeConvAttrs:
    """output_size, strides: (height, width). padding: "same" or "valid", of the convolution from the output
    to the input. hybrid: see linear.LinearOperator.
    """

    output_size: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: str = "same"
    activation: str = "none"
    hybrid: bool = False


class TransposeConv(linear.LinearOperator):
    """Inputs: x [1, H, W, C], weights [O, filter_h, filter_w, C], bias [O] or absent.

    The output has any size: what is spread beyond it is lost, and where nothing is, there is the bias alone.
    """

    name = "transpose_conv"
    attrs_type = TransposeConvAttrs
    tflite_builtins = ("TRANSPOSE_CONV",)
    keras_layers = ("Conv1DTranspose", "Conv2DTranspose")
    quant_rule = QuantRule(weights=WeightRule(index=1, channel_axis=0), bias=2)
    constraints = (
        ONE_BATCH,
        Constraint(
            "filters must have the input's channels",
            lambda node: node.input(0).shape[3] == node.input(1).shape[3],
            lambda node: f"input {node.input(0).shape}, weights {node.input(1).shape}",
            forms=FORMS,
        ),
        *linear.INT64_BIAS_CONSTRAINTS,
    )

    def output_shapes(self, attrs: TransposeConvAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        x, weights = input_shapes[0], input_shapes[1]
        if len(x) != 4 or len(weights) != 4:
            raise ValueError(f"input {x} and weights {weights} must have 4 axes")
        return ((x[0], *attrs.output_size, weights[0]),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        (x,) = inputs
        kernel = layer.weights[0][:, None] if dimensions_of(layer) == 1 else layer.weights[0]

        def body(x: str) -> str:
            y = _add_transposed(layer, kernel, x, builder)
            return builder.activation(layer.name, layer.config.get("activation"), y)

        return over_space(layer, x, builder, body)

    def from_tflite(self, node: TfliteNode) -> tuple[TransposeConvAttrs, tuple[Tensor | None, ...]]:
        size, weights, x, *rest = node.inputs
        attrs = TransposeConvAttrs(
            output_size=_output_size(node, size, weights),
            strides=node.sizes("StrideH", "StrideW"),
            padding=node.choice("Padding", PADDINGS),
            activation=node.choice("FusedActivationFunction", ACTIVATIONS),
            hybrid=_dtype(x) == "float32" and _dtype(weights) == "int8",
        )
        return attrs, (x, weights, *(_widened(bias) for bias in rest))

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        attrs = node.attrs
        options = {
            "Padding": PADDINGS.index(attrs.padding),
            "StrideW": attrs.strides[1],
            "StrideH": attrs.strides[0],
            "FusedActivationFunction": ACTIVATIONS.index(attrs.activation),
        }
        version = 5 if attrs.hybrid else 4
        shape = np.array(node.output.shape, np.int32)
        return TfliteForm(
            "TRANSPOSE_CONV",
            version,
            "TransposeConvOptions",
            options,
            (shape,),
            inputs_before=0,
            order=(1, 0, 2),
        )

    def sums(self, node: BoundNode, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        height, width = axes_of(node)
        x = images(x, node.input(0).shape)
        sums = np.zeros((len(x), *node.output.shape[1:]), x.dtype)
        for tap_y in range(height.filter_size):
            out_y, in_y = height.reach(tap_y)
            for tap_x in range(width.filter_size):
                out_x, in_x = width.reach(tap_x)
                sums[:, out_y, out_x] += x[:, in_y, in_x] @ weights[:, tap_y, tap_x].T
        return sums.reshape(len(x), *node.output.shape)

    def temporary_elements(self, node: BoundNode) -> int:
        return node.input(0).elements + 2 * node.output.elements

    def macs(self, node: BoundNode) -> int:
        """Of taps inside the output; those outside contribute nothing and are left out."""
        _, _, _, depth = node.input(1).shape
        height, width = axes_of(node)
        return height.products() * width.products() * depth * node.output.shape[3]


def axes_of(node: BoundNode) -> TransposedAxes:
    weights, attrs = node.input(1).shape, node.attrs
    return transposed_axes(
        attrs.padding, node.input(0).shape, (weights[1], weights[2]), attrs.strides, attrs.output_size
    )


def _add_transposed(layer: KerasLayer, kernel: np.ndarray, x: str, builder: GraphBuilder) -> str:
    """Add the layer to x [1, H, W, C]. kernel: [H, W, O, I] as Keras has it."""
    config, dimensions = layer.config, dimensions_of(layer)
    padding, strides = padding_of(config), pair(config.get("strides", 1), dimensions)
    dilation = pair(config.get("dilation_rate", 1), dimensions)
    size = _keras_output(layer, kernel, builder.shape(x))
    attrs = TransposeConvAttrs(size, strides, padding)
    if strides == (1, 1):
        return _add_convolution(layer, kernel, x, builder, attrs, dilation)
    if dilation != (1, 1):
        raise LayerRefused(
            "a transposed convolution must have strides or a dilation, not both",
            value=f"strides {strides}, dilation {dilation}",
            hint="dilation_rate=1",
        )
    inputs = [x, builder.constant(f"{layer.name}/kernel", np.transpose(kernel, (2, 0, 1, 3)))]
    inputs += [builder.constant(f"{layer.name}/bias", vector) for vector in layer.weights[1:]]
    return builder.add(TransposeConv.name, layer.name, attrs, inputs)


def _add_convolution(
    layer: KerasLayer,
    kernel: np.ndarray,
    x: str,
    builder: GraphBuilder,
    attrs: TransposeConvAttrs,
    dilation: tuple[int, int],
) -> str:
    """Without strides it is a convolution with the kernel turned round, which has the faster kernels."""
    borders = [(0, 0), (0, 0)]
    for axis, (taps, step) in enumerate(zip(kernel.shape[:2], dilation, strict=True)):
        reach, made = (taps - 1) * step, attrs.output_size[axis]
        lost = reach // 2 if attrs.padding == "same" else 0
        borders[axis] = (reach - lost, made + lost - builder.shape(x)[1 + axis])
    if any(any(border) for border in borders):
        pads = PadAttrs(((0, 0), borders[0], borders[1], (0, 0)))
        x = builder.add("pad", f"{layer.name}/border", pads, [x])
    turned = np.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
    window = Conv2DAttrs(padding="valid", dilation=dilation)
    return CONV_2D.add_to(builder, layer.name, x, turned, layer.weights[1:], window)


def _keras_output(layer: KerasLayer, kernel: np.ndarray, x: Shape) -> tuple[int, int]:
    """The output's height and width, from those of x [1, H, W, C]."""
    config, dimensions = layer.config, dimensions_of(layer)
    padding, extra = padding_of(config), config.get("output_padding")
    added = [extra] * dimensions if extra is None or isinstance(extra, int) else list(extra)
    sizes = [*x[1:3]]
    for axis in range(dimensions):
        stride = pair(config.get("strides", 1), dimensions)[axis]
        dilation = pair(config.get("dilation_rate", 1), dimensions)[axis]
        taps = kernel.shape[axis]
        sizes[axis] = _keras_size(padding, x[1 + axis], (taps - 1) * dilation + 1, stride, added[axis])
        if window_output(padding, sizes[axis], taps, stride, dilation) != x[1 + axis]:
            rule = "output_padding must give an output that the same layer, not transposed, brings back"
            raise LayerRefused(rule, value=extra, hint="output_padding=None")
    return sizes[0], sizes[1]


def _keras_size(padding: str, size: int, reach: int, stride: int, added: int | None) -> int:
    """The output's size along one axis, from the input's. reach: of the filter, dilation included."""
    if padding == "valid":
        return (size - 1) * stride + (max(reach, stride) if added is None else reach + added)
    return size * stride if added is None else (size - 1) * stride + reach % 2 + added


def _dtype(tensor: Tensor | None) -> str:
    return "" if tensor is None else tensor.dtype


def _output_size(node: TfliteNode, size: Tensor | None, weights: Tensor | None) -> tuple[int, int]:
    if size is None or size.data is None:
        rule, hint = "the output's shape must be constant", "convert with a fixed batch of 1"
        raise UnsupportedModelError([Problem(rule, node.name, "computed", hint)])
    batch, height, width, channels = (int(value) for value in size.data.reshape(-1))
    rule = ""
    if min(batch, height, width) < 1:
        rule = "the output's shape must be positive"
    elif weights is not None and channels != weights.shape[0]:
        rule = "the output's channels must be those of the filters"
    if rule:
        value = size.data.reshape(-1).tolist()
        raise InvalidModelError(rule, layer=node.name, value=value, hint="export the model again")
    return height, width


def _widened(bias: Tensor | None) -> Tensor | None:
    """TFLM takes a bias of int16 as the int64 that it is added to."""
    if bias is None or bias.data is None or bias.dtype != "int16":
        return bias
    return replace(bias, dtype="int64", data=bias.data.astype(np.int64))


OPERATOR = TransposeConv()
