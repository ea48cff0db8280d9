"""Keras layers that normalize over axes of their input, as the operator layer_normalization."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mcu_quant.ops.base import Shape
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.keras_axes import axes_of_samples
from mcu_quant.ops.keras_spatial import reshape


@dataclass(frozen=True)
class LayerNormalizationAttrs:
    """axes: those of each mean, ascending, not the batch's. epsilon: added to the variance.

    centered: False for x over its root mean square.
    """

    axes: tuple[int, ...]
    epsilon: float = 1e-3
    centered: bool = True


def layer_normalization(layer: KerasLayer, x: str, builder: GraphBuilder) -> str:
    """LayerNormalization (gamma and beta, each if it has one) and RMSNormalization (a scale, no mean)."""
    config, shape = layer.config, builder.shape(x)
    if config.get("rms_scaling"):
        raise LayerRefused(
            "LayerNormalization must not have rms_scaling", value=True, hint="RMSNormalization"
        )
    axes = axes_of_samples(config.get("axis", -1), len(shape))
    centered = layer.class_name == "LayerNormalization"
    if not centered and axes != tuple(range(len(shape) - len(axes), len(shape))):
        raise LayerRefused(  # Keras (3.15) multiplies its scale with other axes, or fails
            "RMSNormalization must be over the last axes", value=config.get("axis"), hint="axis=-1"
        )
    attrs = LayerNormalizationAttrs(axes, float(config.get("epsilon", 1e-3)), centered)
    along = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
    return _add(layer.name, x, builder, attrs, _gamma_and_beta(layer, centered), along)


def group_normalization(layer: KerasLayer, x: str, builder: GraphBuilder) -> str:
    """Groups of neighbouring channels, each over space too: on [1, space, groups, channels of a group]."""
    shape, rank = builder.shape(x), len(builder.shape(x))
    channels, groups = shape[-1], layer.config.get("groups", 32)
    groups = channels if groups == -1 else groups
    if layer.config.get("axis", -1) not in (-1, rank - 1):
        raise LayerRefused("groups must be along the last axis", value=layer.config["axis"], hint="axis=-1")
    if not isinstance(groups, int) or groups < 1 or channels % groups:
        raise LayerRefused("groups must divide the channels", value=f"{groups} of {channels}")
    grouped = (shape[0], math.prod(shape[1:-1]), groups, channels // groups)
    x = reshape(builder, f"{layer.name}/group", x, grouped)
    attrs = LayerNormalizationAttrs((1, 3), float(layer.config.get("epsilon", 1e-3)))
    y = _add(layer.name, x, builder, attrs, _gamma_and_beta(layer, True), (1, 1, *grouped[2:]))
    return reshape(builder, f"{layer.name}/ungroup", y, shape)


Weights = tuple[np.ndarray | None, np.ndarray | None]


def _gamma_and_beta(layer: KerasLayer, centered: bool) -> Weights:
    """Of RMSNormalization, which is not centered, a scale alone."""
    weights, config = list(layer.weights), layer.config
    has_gamma = bool(config.get("scale", True)) if centered else bool(weights)
    has_beta = centered and bool(config.get("center", True))
    if len(weights) != has_gamma + has_beta:
        raise LayerRefused("there must be a weight for scale and one for center", value=len(weights))
    gamma = weights.pop(0) if has_gamma else None
    return gamma, weights.pop(0) if has_beta else None


def _add(
    name: str, x: str, builder: GraphBuilder, attrs: LayerNormalizationAttrs, weights: Weights, along: Shape
) -> str:
    """along: the shape of gamma and beta against x."""
    constants: list[str | None] = []
    for part, value in zip(("gamma", "beta"), weights, strict=True):
        if value is not None and value.size != math.prod(along):
            raise LayerRefused(f"{part} must have {math.prod(along)} elements", value=value.size)
        constants.append(None if value is None else builder.constant(f"{name}/{part}", value.reshape(along)))
    while constants and constants[-1] is None:
        constants.pop()
    return builder.add("layer_normalization", name, attrs, [x, *constants])
