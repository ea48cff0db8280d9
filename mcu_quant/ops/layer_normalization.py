"""layer_normalization: x less its mean over some axes, over its standard deviation; then scaled and shifted.

Float only: the squares of int8 numbers, and their means, need more than 8 bits where rows differ much. It is
written as several operators of TFLite (quantize/compositions.py) once it is known which arithmetic it has,
so that in a model of integers all of them are between one pair of converters.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import INTEGER_FORMS, Operator, Shape
from mcu_quant.ops.broadcast import broadcast_shape
from mcu_quant.ops.keras import GraphBuilder, KerasLayer
from mcu_quant.ops.normalization import (
    LayerNormalizationAttrs,
    group_normalization,
    layer_normalization,
)


class LayerNormalization(Operator):
    """Inputs: x; gamma and beta, constants that broadcast to it, or absent."""

    name = "layer_normalization"
    attrs_type = LayerNormalizationAttrs
    is_composition = True
    keras_layers = ("LayerNormalization", "RMSNormalization", "GroupNormalization")
    absent_forms = MappingProxyType(dict.fromkeys(INTEGER_FORMS, "float32 between converters"))

    def output_shapes(
        self, attrs: LayerNormalizationAttrs, input_shapes: Sequence[Shape]
    ) -> tuple[Shape, ...]:
        x, *constants = input_shapes
        if any(broadcast_shape(x, constant) != x for constant in constants):
            raise ValueError(f"gamma and beta of shapes {constants} for {x}")
        return (x,)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        if layer.class_name == "GroupNormalization":
            return group_normalization(layer, inputs[0], builder)
        return layer_normalization(layer, inputs[0], builder)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, gamma, beta = (*inputs, None, None)[:3]
        assert x is not None
        attrs: LayerNormalizationAttrs = node.attrs
        axes = tuple(axis + 1 for axis in attrs.axes)
        if attrs.centered:
            x = x - x.mean(axis=axes, keepdims=True, dtype=np.float32)
        variance = (x * x).mean(axis=axes, keepdims=True, dtype=np.float32)
        y = x / np.sqrt(variance + np.float32(attrs.epsilon))
        y = y if gamma is None else y * gamma.astype(np.float32)
        return (y if beta is None else y + beta.astype(np.float32),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        raise AssertionError(f"{node.name}: layer_normalization has no integer form")


OPERATOR = LayerNormalization()
