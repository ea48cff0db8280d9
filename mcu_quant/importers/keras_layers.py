"""Keras layers that are several operators, or none, and the table of all that can be read.

They are written in terms of simpler Keras layers, so that each operator keeps the one place that
knows its attributes (from_keras).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcu_quant.importers.keras_images import IMAGE_LAYERS
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused, require_channels_last
from mcu_quant.ops.keras_spatial import dimensions_of

#: Keras takes smaller deviations for this.
_LEAST_DEVIATION = 1e-7

#: Returns the layer's output; a list where it may have several.
Handler = Callable[[KerasLayer, Sequence[str], "ImportBuilder"], str | list[str]]


@dataclass
class ImportBuilder(GraphBuilder):
    """affines: the output of each affine map so far, as (its input, scale, shift)."""

    affines: dict[str, tuple[str, np.ndarray, np.ndarray]] = field(default_factory=dict)

    def layer(
        self,
        class_name: str,
        name: str,
        inputs: Sequence[str],
        config: Mapping[str, Any] | None = None,
        weights: Sequence[np.ndarray] = (),
    ) -> str:
        """Add a Keras layer of that class and config, which has one output; returns it."""
        layer = KerasLayer(name, class_name, config or {}, tuple(weights))
        output = HANDLERS[class_name](layer, inputs, self)
        assert isinstance(output, str), class_name
        return output


def affine(builder: ImportBuilder, name: str, x: str, scale: np.ndarray, shift: np.ndarray) -> str:
    """x * scale + shift; scale and shift: one value, or one per index of the last axis.

    It is a batch normalization of mean 0 and variance 1: the passes fold that into a neighbour, and
    give it an integer form where they cannot. A chain of affine maps becomes one.
    """
    channels = builder.shape(x)[-1]
    scale, shift = (np.broadcast_to(v.astype(np.float64).reshape(-1), channels) for v in (scale, shift))
    if x in builder.affines:
        x, inner_scale, inner_shift = builder.affines[x]
        scale, shift = inner_scale * scale, inner_shift * scale + shift
    y = builder.layer(
        "BatchNormalization",
        name,
        [x],
        {"axis": -1, "epsilon": 0.0, "scale": True, "center": True},
        [v.astype(np.float32) for v in (scale, shift, np.zeros(channels), np.ones(channels))],
    )
    builder.affines[y] = (x, scale, shift)
    return y


def is_per_channel(value: np.ndarray, channels: int) -> bool:
    """Whether a constant operand is one value, or one per index of the last axis."""
    return value.size == 1 or (value.size == channels and value.shape[-1] == channels)


def _identity(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    (x,) = inputs
    return x


def _activation(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    (x,) = inputs
    return builder.activation(layer.name, layer.config.get("activation"), x)


def _elu(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    (x,) = inputs
    parameters = {"alpha": layer.config.get("alpha", 1.0)}
    return builder.activation(layer.name, {"class_name": "elu", "config": parameters}, x)


def _thresholded_relu(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    """Of Keras 2: x where it is above theta, elsewhere 0."""
    (x,) = inputs
    parameters = {"threshold": layer.config.get("theta", 1.0)}
    return builder.activation(layer.name, {"class_name": "threshold", "config": parameters}, x)


def _rescaling(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    (x,) = inputs
    channels = builder.shape(x)[-1]
    values = [
        constant_operand(layer.config.get(key, default)) for key, default in (("scale", 1.0), ("offset", 0.0))
    ]
    for value in values:
        if not is_per_channel(value, channels):
            raise LayerRefused(
                "scale and offset must be single numbers or one per channel",
                value=f"shape {list(value.shape)}",
                hint="one number per channel",
            )
    return affine(builder, layer.name, x, *values)


def _normalization(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    """(x - mean) / deviation, or the inverse of that, by the config's mean and variance or by weights."""
    (x,) = inputs
    if layer.config.get("mean") is None:
        mean, variance, _ = layer.weights
    else:
        mean, variance = (constant_operand(layer.config.get(key, np.nan)) for key in ("mean", "variance"))
    for value in (mean, variance):
        if not is_per_channel(np.atleast_1d(value), builder.shape(x)[-1]):
            raise LayerRefused(
                "mean and variance must be single numbers or one per channel",
                value=f"shape {list(value.shape)}",
                hint="axis=-1 or axis=None",
            )
    mean = mean.astype(np.float64)
    deviation = np.maximum(np.sqrt(variance.astype(np.float64)), _LEAST_DEVIATION)
    if layer.config.get("invert"):
        return affine(builder, layer.name, x, deviation, mean)
    return affine(builder, layer.name, x, 1 / deviation, -mean / deviation)


def constant_operand(value: Any) -> np.ndarray:
    """A number or list of a config (Keras 3 wraps arrays in {"class_name": "__numpy__"}) as float32."""
    if isinstance(value, Mapping):
        config = value.get("config")
        value = config.get("value") if isinstance(config, Mapping) else value.get("value")
    array = np.asarray(value, np.float32)
    if not np.isfinite(array).all():
        raise LayerRefused("constants must be finite", value=array.ravel()[:4].tolist())
    return array


def _separable_conv(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    """A depthwise convolution with the layer's window, then a pointwise one with its activation."""
    dimensions = layer.class_name[-2:]
    depthwise, pointwise, *bias = layer.weights
    shared = {"data_format": "channels_last", "activation": "linear"}
    window = {
        key: layer.config[key]
        for key in ("kernel_size", "strides", "padding", "dilation_rate")
        if key in layer.config
    }
    x = builder.layer(
        f"DepthwiseConv{dimensions}",
        f"{layer.name}/depthwise",
        inputs,
        {**shared, **window, "use_bias": False, "depth_multiplier": layer.config.get("depth_multiplier", 1)},
        [depthwise],
    )
    ones = [1] * (pointwise.ndim - 2)
    return builder.layer(
        f"Conv{dimensions}",
        layer.name,
        [x],
        {
            **shared,
            "filters": pointwise.shape[-1],
            "kernel_size": ones,
            "strides": ones,
            "dilation_rate": ones,
            "padding": "valid",
            "groups": 1,
            "use_bias": bool(bias),
            "activation": layer.config.get("activation"),
        },
        [pointwise, *bias],
    )


def _adaptive_pooling(layer: KerasLayer, inputs: Sequence[str], builder: ImportBuilder) -> str:
    """Pooling to a size that divides the input's: then all windows are alike."""
    require_channels_last(layer.config)
    (x,) = inputs
    seen, dimensions = builder.shape(x)[1:-1], dimensions_of(layer)
    wanted = layer.config["output_size"]
    sizes = [wanted] * dimensions if isinstance(wanted, int) else list(wanted)
    if len(sizes) != len(seen) or min(sizes) < 1 or any(a % b for a, b in zip(seen, sizes, strict=True)):
        raise LayerRefused(
            "the output's size must divide the input's",
            value=f"{list(seen)} to {sizes}",
            hint="AveragePooling or MaxPooling with a fixed pool_size and strides",
        )
    window = [size // part for size, part in zip(seen, sizes, strict=True)]
    config = {"pool_size": window, "strides": window, "padding": "valid", "data_format": "channels_last"}
    return builder.layer(layer.class_name.removeprefix("Adaptive"), layer.name, [x], config)


IDENTITIES = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "GaussianNoise",
    "GaussianDropout",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
    "SpatialDropout3D",
    # Augmentation, which Keras leaves out at inference.
    *("AugMix", "CutMix", "MixUp", "RandAugment"),
    *(f"Random{what}" for what in ("Brightness", "ColorDegeneration", "ColorJitter", "Contrast")),
    *(f"Random{what}" for what in ("ElasticTransform", "Erasing", "Flip", "GaussianBlur", "Grayscale")),
    *(f"Random{what}" for what in ("Hue", "Invert", "Perspective", "Posterization", "Rotation")),
    *(f"Random{what}" for what in ("Saturation", "Sharpness", "Shear", "Translation", "Zoom")),
)

#: Every layer class that can be read.
HANDLERS: dict[str, Handler] = {
    name: operator.from_keras for operator in OPERATORS.values() for name in operator.keras_layers
}
HANDLERS.update(dict.fromkeys(IDENTITIES, _identity))
HANDLERS.update(IMAGE_LAYERS)
HANDLERS.update(
    Activation=_activation,
    ELU=_elu,
    ThresholdedReLU=_thresholded_relu,
    Rescaling=_rescaling,
    Normalization=_normalization,
    SeparableConv1D=_separable_conv,
    SeparableConv2D=_separable_conv,
    **{f"Adaptive{kind}Pooling{n}D": _adaptive_pooling for kind in ("Max", "Average") for n in (1, 2)},
)
