"""Functions that are a layer with its weights as arguments: conv, max_pool, batch_normalization, resize."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcu_quant.importers.keras_functions.arguments import (
    Arguments,
    Function,
    FunctionTable,
    TensorName,
    axes_of,
    axis_of,
    is_integer,
)
from mcu_quant.importers.keras_functions.indexing import crop
from mcu_quant.importers.keras_functions.nodes import binary, layer, unary
from mcu_quant.importers.keras_functions.reductions import reduce
from mcu_quant.importers.keras_functions.shapes import padded
from mcu_quant.importers.keras_layers import ImportBuilder, affine
from mcu_quant.importers.keras_weights import expected_weights
from mcu_quant.ops.keras import LayerRefused

#: Luminance of red, green and blue (keras.ops.image.rgb_to_grayscale).
_GRAY = (0.2989, 0.587, 0.114)


def _images(arguments: Arguments, builder: ImportBuilder) -> tuple[TensorName, int]:
    """(x, its number of spatial axes), channels last."""
    if arguments.get(99, "data_format") not in (None, "channels_last", "NHWC", "NWC"):
        raise LayerRefused("the layout must be channels_last", value=arguments.get(99, "data_format"))
    x = arguments.tensor(0, "inputs", "input", "value", "images", "image")
    return x, len(builder.shape(x)) - 2


def _spatial(value: Any, dimensions: int) -> list[int]:
    """One number for each spatial axis; TensorFlow's have those of batch and channels, too."""
    values = [value] * dimensions if is_integer(value) else list(value)
    values = values[1:-1] if len(values) == dimensions + 2 else values
    values = values * dimensions if len(values) == 1 else values
    if len(values) != dimensions or not all(map(is_integer, values)):
        raise LayerRefused("there must be one number for each spatial axis", value=value)
    return [int(entry) for entry in values]


def _with_weights(
    builder: ImportBuilder,
    class_name: str,
    name: str,
    x: str,
    config: dict[str, Any],
    weights: list[np.ndarray],
) -> str:
    """The layer with these weights, which must be of the shapes that it calls for."""
    expected = expected_weights(class_name, config, builder.shape(x)) or []
    shapes = [list(shape) for _, shape in expected]
    if shapes != [list(array.shape) for array in weights]:
        seen = [list(array.shape) for array in weights]
        raise LayerRefused("the weights' shapes must fit the input's", value=f"{seen}, not {shapes}")
    return builder.layer(class_name, name, [x], config, weights)


def _window(arguments: Arguments, dimensions: int) -> dict[str, Any]:
    """What convolutions share."""
    padding = arguments.get(99, "padding", default="valid")
    if not isinstance(padding, str):
        raise LayerRefused("padding must be 'same' or 'valid'", value=padding)
    dilation = arguments.get(99, "dilation_rate", "dilations", default=1)
    return {
        "strides": _spatial(arguments.get(99, "strides", default=1), dimensions),
        "padding": padding.lower(),
        "dilation_rate": _spatial(dilation, dimensions),
        "data_format": "channels_last",
        "use_bias": False,
        "activation": None,
    }


def _convolution(kind: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, dimensions = _images(arguments, builder)
        kernel = arguments.constant(1, "kernel", "filters", "filter")
        if kernel.ndim != dimensions + 2:
            raise LayerRefused("the kernel must have an axis for each of the input's", value=kernel.shape)
        config = {**_window(arguments, dimensions), "kernel_size": list(kernel.shape[:dimensions])}
        if kind == "DepthwiseConv":
            config["depth_multiplier"] = kernel.shape[-1]
        elif kind == "Conv":
            groups, rest = divmod(builder.shape(x)[-1], kernel.shape[-2])
            if rest:
                raise LayerRefused("the kernel's channels must divide the input's", value=kernel.shape)
            config |= {"filters": kernel.shape[-1], "groups": groups}
        else:
            config |= {"filters": kernel.shape[-2], "output_padding": arguments.get(99, "output_padding")}
        class_name = f"Conv{dimensions}DTranspose" if kind == "ConvTranspose" else f"{kind}{dimensions}D"
        return _with_weights(builder, class_name, arguments.name, x, config, [kernel])

    return lower


def _separable(arguments: Arguments, builder: ImportBuilder) -> str:
    x, dimensions = _images(arguments, builder)
    depthwise = arguments.constant(1, "depthwise_kernel", "depthwise_filter")
    pointwise = arguments.constant(2, "pointwise_kernel", "pointwise_filter")
    config = {
        **_window(arguments, dimensions),
        "kernel_size": list(depthwise.shape[:dimensions]),
        "depth_multiplier": depthwise.shape[-1],
        "filters": pointwise.shape[-1],
    }
    class_name = f"SeparableConv{dimensions}D"
    return _with_weights(builder, class_name, arguments.name, x, config, [depthwise, pointwise])


def _pool(kind: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, dimensions = _images(arguments, builder)
        size = _spatial(arguments.get(1, "pool_size", "ksize"), dimensions)
        strides = arguments.get(2, "strides")
        steps = size if strides is None else _spatial(strides, dimensions)
        padding = str(arguments.get(3, "padding", default="valid")).lower()
        class_name = f"{kind}Pooling{dimensions}D"
        config = {"pool_size": size, "strides": steps, "padding": padding, "data_format": "channels_last"}
        return layer(builder, class_name, arguments.name, [x], **config)

    return lower


def _adaptive_pool(kind: str) -> Function:
    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x, dimensions = _images(arguments, builder)
        class_name = f"Adaptive{kind}Pooling{dimensions}D"
        return layer(builder, class_name, arguments.name, [x], output_size=arguments.get(1, "output_size"))

    return lower


def _batch_normalization(arguments: Arguments, builder: ImportBuilder) -> str:
    x, rank = arguments.tensor(0, "x"), len(builder.shape(arguments.tensor(0, "x")))
    if axes_of(arguments.get(99, "axis", default=-1), rank) != [rank - 1]:
        raise LayerRefused("batch normalization must be over the last axis", value=arguments.get(99, "axis"))
    mean, variance = arguments.constant(1, "mean"), arguments.constant(2, "variance")
    epsilon = arguments.get(5, "epsilon", "variance_epsilon", default=1e-3)
    if (variance + float(epsilon)).min(initial=1.0) <= 0:
        raise LayerRefused("the variance must be positive", value=float(variance.min()))
    scale = 1.0 / np.sqrt(variance.astype(np.float64) + float(epsilon))
    if arguments.get(4, "scale") is not None:
        scale = scale * arguments.constant(4, "scale")
    shift = -mean * scale
    if arguments.get(3, "offset") is not None:
        shift = shift + arguments.constant(3, "offset")
    return affine(builder, arguments.name, x, scale, shift)


def _normalized(class_name: str, *weights: str) -> Function:
    """layer_normalization and rms_normalization: the layer with these arguments as its weights."""

    def lower(arguments: Arguments, builder: ImportBuilder) -> str:
        x = arguments.tensor(0, "x", "inputs")
        given = [
            arguments.constant(place, name)
            for place, name in enumerate(weights, start=1)
            if arguments.get(place, name) is not None
        ]
        config = {
            "axis": arguments.get(99, "axis", default=-1),
            "epsilon": arguments.get(99, "epsilon", default=1e-7),
            "scale": arguments.get(1, weights[0]) is not None,
            "center": len(weights) > 1 and arguments.get(2, weights[-1]) is not None,
            "rms_scaling": bool(arguments.get(99, "rms_scaling", default=False)),
        }
        return _with_weights(builder, class_name, arguments.name, x, config, given)

    return lower


def _normalize(arguments: Arguments, builder: ImportBuilder) -> str:
    """Vectors to length 1, by the Euclidean norm or another."""
    x, name = arguments.tensor(0, "x"), arguments.name
    axis = axis_of(arguments.get(1, "axis", default=-1), len(builder.shape(x)))
    order = float(arguments.get(2, "order", default=2))
    if order == 2.0:
        return layer(builder, "UnitNormalization", name, [x], axis=axis)
    if order != 1.0:
        raise LayerRefused("the norm must be of order 1 or 2", value=order)
    magnitude = unary(builder, "abs", f"{name}/abs", x)
    return binary(builder, "div", name, x, reduce(builder, "sum", f"{name}/sum", magnitude, (axis,), True))


def _l2_normalize(arguments: Arguments, builder: ImportBuilder) -> str:
    return _normalize(
        Arguments(arguments.name, [arguments.tensor(0, "x"), arguments.get(1, "axis")], {}), builder
    )


def _resize(arguments: Arguments, builder: ImportBuilder) -> str:
    x, _ = _images(arguments, builder)
    height, width = (int(size) for size in arguments.get(1, "size"))
    for option in ("antialias", "crop_to_aspect_ratio", "pad_to_aspect_ratio", "preserve_aspect_ratio"):
        if arguments.get(99, option):
            raise LayerRefused(f"resizing must be without {option}", value=True)
    return layer(
        builder,
        "Resizing",
        arguments.name,
        [x],
        height=height,
        width=width,
        interpolation=arguments.get(2, "interpolation", "method", default="bilinear"),
    )


def _gray(arguments: Arguments, builder: ImportBuilder) -> str:
    x, _ = _images(arguments, builder)
    weights = np.array(_GRAY, np.float32).reshape(3, 1)
    if builder.shape(x)[-1] != 3:
        raise LayerRefused("the image must have three channels", value=builder.shape(x)[-1])
    config = {"units": 1, "use_bias": False, "activation": None}
    return builder.layer("Dense", arguments.name, [x], config, [weights])


def _borders(arguments: Arguments, x: str, builder: ImportBuilder, suffix: str) -> list[list[int]]:
    """(before, after) of height and width, of which the target's size gives what is missing."""
    sides, sizes = (("top", "bottom"), ("left", "right")), builder.shape(x)[1:3]
    pairs = []
    for (first, last), size, axis in zip(sides, sizes, ("height", "width"), strict=True):
        before, after = (arguments.get(99, f"{side}_{suffix}") for side in (first, last))
        target = arguments.get(99, f"target_{axis}")
        if None not in (before, after, target) or [before, after, target].count(None) > 1:
            raise LayerRefused(
                "two of three sizes must be given for each axis", value=(before, after, target)
            )
        spare = None if target is None else abs(target - size)
        before = spare - after if before is None else before
        pairs.append([before, spare - before if after is None else after])
    if min(map(min, pairs)) < 0:
        raise LayerRefused("borders must not be negative", value=pairs)
    return pairs


def _pad_images(arguments: Arguments, builder: ImportBuilder) -> str:
    x, _ = _images(arguments, builder)
    pairs = [(0, 0), *_borders(arguments, x, builder, "padding"), (0, 0)]
    return padded(builder, arguments.name, x, pairs, "constant")


def _crop_images(arguments: Arguments, builder: ImportBuilder) -> str:
    x, _ = _images(arguments, builder)
    pairs: Sequence[Sequence[int]] = [*_borders(arguments, x, builder, "cropping"), (0, 0)]
    return crop(builder, arguments.name, x, pairs)


FUNCTIONS: FunctionTable = {
    _convolution("Conv"): ("nn.convolution", "nn.conv1d", "nn.conv2d", "Conv"),
    _convolution("DepthwiseConv"): ("nn.depthwise_conv2d", "DepthwiseConv"),
    _convolution("ConvTranspose"): ("ConvTranspose",),
    _separable: ("SeparableConv",),
    _pool("Max"): ("nn.max_pool2d", "nn.max_pool1d", "nn.max_pool", "MaxPool"),
    _pool("Average"): ("nn.avg_pool2d", "nn.avg_pool1d", "nn.avg_pool", "AveragePool"),
    _adaptive_pool("Max"): ("AdaptiveMaxPool",),
    _adaptive_pool("Average"): ("AdaptiveAveragePool",),
    _batch_normalization: ("nn.batch_normalization", "BatchNorm"),
    _normalized("LayerNormalization", "gamma", "beta"): ("LayerNorm",),
    _normalized("RMSNormalization", "scale"): ("RMSNorm",),
    _normalize: ("Normalize",),
    _l2_normalize: ("math.l2_normalize",),
    _resize: ("image.resize", "Resize"),
    _gray: ("image.rgb_to_grayscale", "RGBToGrayscale"),
    _pad_images: ("PadImages",),
    _crop_images: ("CropImages",),
}
