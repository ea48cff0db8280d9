"""max_pool_2d: the largest value of each window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import activation_range, float_activation
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, require_channels_last
from mcu_quant.ops.keras_spatial import over_space, reshape
from mcu_quant.ops.pooling import Pool2D, Pool2DAttrs, pool


class MaxPool2D(Pool2D):
    name = "max_pool_2d"
    float_is_exact = True
    is_selection = True
    tflite_builtins = ("MAX_POOL_2D",)
    keras_layers = ("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D")

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        if layer.class_name.startswith("Global"):
            return self._global(layer, inputs[0], builder)
        return super().from_keras(layer, inputs, builder)

    def _global(self, layer: KerasLayer, x: str, builder: GraphBuilder) -> str:
        """One window over everything."""
        require_channels_last(layer.config)

        def body(x: str) -> str:
            _, height, width, _ = builder.shape(x)
            attrs = Pool2DAttrs(filter_size=(height, width), strides=(1, 1))
            return builder.add(self.name, layer.name, attrs, [x])

        y = over_space(layer, x, builder, body)
        if layer.config.get("keepdims", False):
            return y
        shape = builder.shape(y)
        return reshape(builder, f"{layer.name}/flatten", y, (shape[0], shape[-1]))

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        y = pool(node, x, np.maximum, np.float32(-np.inf))
        return (float_activation(y, node.attrs.activation),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        low, high = activation_range(node.attrs.activation, node.output)
        largest = pool(node, x, np.maximum, x.dtype.type(np.iinfo(x.dtype).min))
        return (np.clip(largest, low, high).astype(x.dtype),)


OPERATOR = MaxPool2D()
