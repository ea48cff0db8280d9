"""mean: over some of the axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import INT32_MAX, IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import (
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    least_rescaled,
    scale_ratio,
    to_output,
)
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, require_channels_last
from mcu_quant.ops.keras_spatial import dimensions_of
from mcu_quant.ops.unary import RESCALED_STEPS


@dataclass(frozen=True)
class MeanAttrs:
    """axes: ascending, not negative, the batch's not among them. keepdims: they stay, with size 1."""

    axes: tuple[int, ...]
    keepdims: bool = False


class Mean(Operator):
    """Input: x, of any rank."""

    name = "mean"
    attrs_type = MeanAttrs
    tflite_builtins = ("MEAN",)
    keras_layers = ("GlobalAveragePooling1D", "GlobalAveragePooling2D")
    quant_rule = QuantRule()
    constraints = (
        Constraint(
            "the sum must fit int32",
            lambda node: element_count(node) * RESCALED_STEPS[form_of(node)] <= INT32_MAX,
            lambda node: element_count(node),
            "a smaller input",
        ),
    )

    def output_shapes(self, attrs: MeanAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = input_shapes
        if attrs.keepdims:
            return (tuple(1 if axis in attrs.axes else size for axis, size in enumerate(x)),)
        return (tuple(size for axis, size in enumerate(x) if axis not in attrs.axes),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        require_channels_last(layer.config)
        axes = (1,) if dimensions_of(layer) == 1 else (1, 2)
        attrs = MeanAttrs(axes, keepdims=bool(layer.config.get("keepdims", False)))
        return builder.add(self.name, layer.name, attrs, list(inputs))

    def from_tflite(self, node: TfliteNode) -> tuple[MeanAttrs, tuple[Tensor | None, ...]]:
        x, axes = node.inputs[0], node.constant(1)
        if x is None or axes is None:
            problem = Problem("the axes must be constant", node.name, hint="a fixed axis in the model")
            raise UnsupportedModelError([problem])
        rank = len(x.shape)
        resolved = sorted({int(axis) % rank for axis in axes.reshape(-1) if -rank <= axis < rank})
        if any(not -rank <= axis < rank for axis in axes.reshape(-1)):
            raise InvalidModelError(
                f"axes must be within the input's {rank} axes", layer=node.name, value=axes.tolist()
            )
        return MeanAttrs(tuple(resolved), bool(node.option("KeepDims", False))), (x,)

    def least_output_scale(self, attrs: MeanAttrs, input_scales: Sequence[float], dtype: str) -> float:
        return least_rescaled(input_scales[0], dtype)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        attrs: MeanAttrs = node.attrs
        return TfliteForm(
            "MEAN", 2, "ReducerOptions", {"KeepDims": attrs.keepdims}, (np.array(attrs.axes, np.int32),)
        )

    def is_monotone(self, node: BoundNode) -> bool:
        """Unless a sum, once shifted left, wraps."""
        return (
            RESCALED_STEPS[form_of(node)] * element_count(node) << max(mean_multiplier(node)[1], 0)
            <= INT32_MAX
        )

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        x = node.input(0).shape
        return None if len(x) - 1 in node.attrs.axes else np.arange(x[-1])

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        y = x.mean(axis=_sample_axes(node), dtype=np.float32)
        return (y.reshape(len(x), *node.output.shape),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        multiplier, shift = mean_multiplier(node)
        sums = x.sum(axis=_sample_axes(node), dtype=np.int64)
        acc = sums - node.input(0).zero_point * element_count(node)
        y = to_output(requantize(acc, multiplier, shift) + node.output.zero_point, node.output)
        return (y.reshape(len(x), *node.output.shape),)


def _sample_axes(node: BoundNode) -> tuple[int, ...]:
    return tuple(axis + 1 for axis in node.attrs.axes)


def element_count(node: BoundNode) -> int:
    """How many elements each mean is of."""
    return math.prod(node.input(0).shape[axis] for axis in node.attrs.axes)


def mean_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) that scale a sum to the output and divide it by its count.

    As TFLM's QuantizedMeanOrSum (reference/reduce.h): the ratio's multiplier is shifted left by
    floor(log2(count)), as far as the shift allows, and divided by the count, truncating.
    """
    count = element_count(node)
    multiplier, shift = quantize_multiplier(scale_ratio((node.input(0).scale,), node.output.scale))
    spare = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << spare) // count, shift - spare


OPERATOR = Mean()
