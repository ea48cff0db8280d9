"""What operators share that combine all elements along some axes: mean, sum, reduce_max and so on."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from mcu_quant.errors import InvalidModelError, Problem, UnsupportedModelError
from mcu_quant.fixed_point import INT32_MAX, IntArray, requantize
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import (
    SAME_SCALE,
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    least_rescaled,
    to_output,
)
from mcu_quant.ops.forms import FORMS, form_of
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, require_channels_last
from mcu_quant.ops.unary import RESCALED_STEPS, rescale_multiplier


@dataclass(frozen=True)
class ReductionAttrs:
    """axes: ascending, not negative. keepdims: they stay, with size 1."""

    axes: tuple[int, ...]
    keepdims: bool = False


#: Kept, reduced, kept, reduced, kept: what a kernel goes through.
MAX_RUNS = 5

FEW_RUNS = Constraint(
    "the axes must be at most two runs of neighbouring ones",
    lambda node: len(merged_axes(node)) <= MAX_RUNS,
    lambda node: node.attrs.axes,
    "reduce over some of the axes first",
    FORMS,
)


class Reduction(Operator):
    """Input: x, of any rank."""

    attrs_type = ReductionAttrs
    #: The one that schema.fbs has for int8.
    version: ClassVar[int] = 2
    constraints: ClassVar[tuple[Constraint, ...]] = (FEW_RUNS,)

    def output_shapes(self, attrs: ReductionAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return (reduced_shape(attrs, input_shapes[0]),)

    def from_tflite(self, node: TfliteNode) -> tuple[ReductionAttrs, tuple[Tensor | None, ...]]:
        x, axes = node.inputs[0], constant_axes(node)
        assert x is not None
        return ReductionAttrs(axes, bool(node.option("KeepDims", False))), (x,)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        attrs: ReductionAttrs = node.attrs
        constants = (np.array(attrs.axes, np.int32),)
        options = {"KeepDims": attrs.keepdims}
        return TfliteForm(self.tflite_builtins[0], self.version, "ReducerOptions", options, constants)

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        x = node.input(0).shape
        return None if len(x) - 1 in node.attrs.axes else np.arange(x[-1])

    @abstractmethod
    def meaning(self, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """float32 [N, *shape] (bool, of conditions) reduced along those of its axes."""

    def integer(self, node: BoundNode, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        """The same for what is quantized; the output's dtype. The default: the same values, chosen."""
        return self.meaning(x, axes)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (self.meaning(x, sample_axes(node)).reshape(len(x), *node.output.shape),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (self.integer(node, x, sample_axes(node)).reshape(len(x), *node.output.shape),)


class SumReduction(Reduction):
    """mean and sum: an exact sum, rescaled once. In float, additions in the order of memory, each rounded."""

    float_is_exact = True
    quant_rule = QuantRule()
    constraints = (
        FEW_RUNS,
        Constraint(
            "the sum must fit int32",
            lambda node: element_count(node) * RESCALED_STEPS[form_of(node)] <= INT32_MAX,
            lambda node: element_count(node),
            "a smaller input",
        ),
        Constraint(
            "scale(input) / scale(output) must be below 2**30",
            lambda node: form_of(node) == "float" or rescale_multiplier(node)[1] <= 30,
            lambda node: node.input(0).scale / node.output.scale,
            "calibrate with representative data",
        ),
    )

    @abstractmethod
    def multiplier(self, node: BoundNode) -> tuple[int, int]:
        """(multiplier, shift) from a sum to the output."""

    def least_output_scale(self, attrs: Any, input_scales: Sequence[float], dtype: str) -> float:
        return least_rescaled(input_scales[0], dtype)

    def is_monotone(self, node: BoundNode) -> bool:
        """Unless a sum, once shifted left, wraps."""
        largest = RESCALED_STEPS[form_of(node)] * element_count(node)
        return largest << max(self.multiplier(node)[1], 0) <= INT32_MAX

    def integer(self, node: BoundNode, x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
        acc = x.sum(axis=axes, dtype=np.int64) - node.input(0).zero_point * element_count(node)
        return to_output(requantize(acc, *self.multiplier(node)) + node.output.zero_point, node.output)


class ExtremumReduction(Reduction):
    """reduce_max and reduce_min: raw bytes."""

    float_is_exact = True
    is_selection = True
    oracles = MappingProxyType({"int16": "LiteRT"})
    quant_rule = QuantRule(output="same")
    constraints = (FEW_RUNS, SAME_SCALE)

    def is_monotone(self, node: BoundNode) -> bool:
        return True


def float_sum(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """float32 sums of elements one after the other, as TFLM and C add them; from 0 on, so never -0."""
    last = np.moveaxis(x, axes, range(-len(axes), 0))
    rows = last.reshape(*last.shape[: last.ndim - len(axes)], -1)
    return np.asarray(np.cumsum(rows, axis=-1, dtype=np.float32)[..., -1] + np.float32(0))


def reduced_shape(attrs: ReductionAttrs, x: Shape) -> Shape:
    """Of the output, for an input of that shape."""
    if attrs.keepdims:
        return tuple(1 if axis in attrs.axes else size for axis, size in enumerate(x))
    return tuple(size for axis, size in enumerate(x) if axis not in attrs.axes)


def constant_axes(node: TfliteNode) -> tuple[int, ...]:
    """The second input as axes of the first: ascending, each once. Raises McuQuantError."""
    x, axes = node.inputs[0], node.constant(1)
    if x is None or axes is None or axes.dtype.kind != "i":
        problem = Problem("the axes must be constant integers", node.name, hint="a fixed axis in the model")
        raise UnsupportedModelError([problem])
    rank, distinct = len(x.shape), np.unique(axes)
    if len(distinct) and not (-rank <= distinct[0] and distinct[-1] < rank):
        found = distinct[:8].tolist()
        raise InvalidModelError(f"axes must be within the input's {rank} axes", layer=node.name, value=found)
    return tuple(sorted({int(axis) % rank for axis in distinct}))


def global_pool(op: str, layer: KerasLayer, x: str, builder: GraphBuilder) -> str:
    """A Keras layer that reduces over everything but batch and channels. Raises LayerRefused."""
    require_channels_last(layer.config)
    axes = tuple(range(1, len(builder.shape(x)) - 1))
    attrs = ReductionAttrs(axes, keepdims=bool(layer.config.get("keepdims", False)))
    return builder.add(op, layer.name, attrs, [x])


def element_count(node: BoundNode) -> int:
    """How many elements each output is made of."""
    return math.prod(node.input(0).shape[axis] for axis in node.attrs.axes)


def merged_axes(node: BoundNode) -> list[int]:
    """The input's axes, neighbours of a kind merged: kept, reduced, kept, ... (1 first if none is kept).

    One reduced run leaves [outer, reduced, inner]: a kernel's `middle` is then the innermost.
    """
    axes = [(axis in node.attrs.axes, size) for axis, size in enumerate(node.input(0).shape) if size > 1]
    runs = [
        math.prod(size for _, size in run) for _, run in itertools.groupby(axes, key=lambda axis: axis[0])
    ]
    return runs if axes and not axes[0][0] else [1, *runs]


def sample_axes(node: BoundNode) -> tuple[int, ...]:
    """The axes of arrays that have the sample axis in front."""
    return tuple(axis + 1 for axis in node.attrs.axes)
