"""Operators without weights, as one layer class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from mcu_quant.ops.attributes import attributes_from_json
from mcu_quant.training.arithmetic import KerasTensor, activation_scheme, fake_quantized
from mcu_quant.training.fake_quantize import quantizer_of
from mcu_quant.training.functions import BROADCASTING, FUNCTIONS, aligned
from mcu_quant.training.statistics import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class GraphOperator(keras.layers.Layer):
    """One node of the graph that has no weights.

    node, op, attrs, output: its name, operator, attributes and output tensor. operands: for each input the
    shape of a constant, or None for a tensor that the layer is called on, in order. own_scales: constants
    have a scale of their own, and are rounded to it.
    """

    def __init__(
        self,
        *,
        node: str,
        op: str,
        attrs: Mapping[str, Any],
        output: str,
        operands: Sequence[Sequence[int] | None],
        own_scales: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.node, self.op, self.attrs_json, self.output_tensor = node, op, dict(attrs), output
        self.operands = [None if shape is None else tuple(shape) for shape in operands]
        self.own_scales = own_scales
        self.attributes = attributes_from_json(op, attrs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["dtype"]
        return {
            **config,
            "node": self.node,
            "op": self.op,
            "attrs": self.attrs_json,
            "output": self.output_tensor,
            "operands": [None if shape is None else list(shape) for shape in self.operands],
            "own_scales": self.own_scales,
        }

    def build(self, input_shape: Any) -> None:
        self.constants = [
            self.add_weight(shape=shape, initializer="zeros", trainable=False, name=f"constant_{index}")
            for index, shape in enumerate(self.operands)
            if shape is not None
        ]

    def set_constants(self, values: Sequence[np.ndarray]) -> None:
        for variable, value in zip(self.constants, values, strict=True):
            variable.assign(value)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """As Keras's; where the model is put together, a mean also learns whose scale its input has."""
        if isinstance(inputs, keras.KerasTensor) and self.op == "mean":
            self.input_quantizer = quantizer_of(inputs)
            self.averaged = math.prod(int(inputs.shape[axis]) for axis in self.attributes.axes)
        return super().__call__(inputs, *args, **kwargs)

    @property
    def sums(self) -> bool:
        return self.op == "mean"

    def accumulator_step(self) -> KerasTensor:
        """Of a mean: what its multiplier's exponent is of (ops/mean.py, mean_multiplier); float32 [1]."""
        x_scale, _ = self.input_quantizer.layer.scale()
        return ops.reshape(x_scale, (1,)) / 2.0 ** (self.averaged.bit_length() - 1)

    def call(self, inputs: Any) -> KerasTensor:
        computed = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
        rank = max([len(x.shape) for x in computed] + [len(shape) for shape in self.operands if shape])
        if self.op in BROADCASTING:
            computed = [aligned(x, rank) for x in computed]
        sources, constants = iter(computed), iter(self.constants)
        operands = [
            next(sources) if shape is None else self._constant(next(constants), computed[0])
            for shape in self.operands
        ]
        return FUNCTIONS[self.op](self.attributes, operands)

    def _constant(self, variable: Any, like: KerasTensor) -> KerasTensor:
        value = ops.convert_to_tensor(variable)
        if self.own_scales:
            value = fake_quantized(value, *activation_scheme(ops.min(value), ops.max(value)))
        if self.op == "concatenation":
            value = ops.broadcast_to(value, (ops.shape(like)[0], *value.shape[1:]))
        return value
