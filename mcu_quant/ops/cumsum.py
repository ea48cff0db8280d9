"""cumsum: running sums along one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mcu_quant.errors import InvalidModelError
from mcu_quant.fixed_point import IntArray, quantize_multiplier, requantize
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import (
    Constraint,
    Operator,
    QuantRule,
    Shape,
    TfliteForm,
    TfliteNode,
    scale_ratio,
    to_output,
)
from mcu_quant.ops.reduction import constant_axes

#: TFLM holds sums in steps of 2**-19 of the input's, and rescales them by less than 1.
SUM_BITS = 19
MOST_ELEMENTS = (2**31 - 1) // (2**SUM_BITS * 2**7)


@dataclass(frozen=True)
class CumsumAttrs:
    """axis: not negative. exclusive: each element is left out of its own sum. reverse: from the end on."""

    axis: int
    exclusive: bool = False
    reverse: bool = False


class Cumsum(Operator):
    """Input: x, of any rank."""

    name = "cumsum"
    attrs_type = CumsumAttrs
    tflite_builtins = ("CUMSUM",)
    absent_forms = MappingProxyType({"int16": "TFLM and LiteRT have none"})
    quantized_in_float = True
    quant_rule = QuantRule()
    constraints = (
        Constraint(
            "the input's zero_point must be 0: TFLM starts its sums from -zero_point",
            lambda node: node.input(0).zero_point == 0,
            lambda node: node.input(0).zero_point,
            "cumsum in float32",
        ),
        Constraint(
            f"at most {MOST_ELEMENTS} elements along the axis: TFLM's sums overflow beyond",
            lambda node: node.input(0).shape[node.attrs.axis] <= MOST_ELEMENTS,
            lambda node: node.input(0).shape[node.attrs.axis],
            "cumsum in float32",
        ),
        Constraint(
            f"scale(input) / scale(output) must be below 2**{SUM_BITS}",
            lambda node: node.input(0).scale / node.output.scale < 2.0**SUM_BITS,
            lambda node: node.input(0).scale / node.output.scale,
            "calibrate with representative data",
        ),
    )

    def output_shapes(self, attrs: CumsumAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = input_shapes
        if not 0 <= attrs.axis < len(x):
            raise ValueError(f"axis {attrs.axis} of {x}")
        return (x,)

    def from_tflite(self, node: TfliteNode) -> tuple[CumsumAttrs, tuple[Tensor | None, ...]]:
        axes = constant_axes(node)
        if len(axes) != 1:
            raise InvalidModelError("there must be one axis", layer=node.name, value=axes)
        exclusive, reverse = bool(node.option("Exclusive", False)), bool(node.option("Reverse", False))
        return CumsumAttrs(axes[0], exclusive, reverse), node.inputs[:1]

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        attrs: CumsumAttrs = node.attrs
        options = {"Exclusive": attrs.exclusive, "Reverse": attrs.reverse}
        return TfliteForm("CUMSUM", 1, "CumsumOptions", options, (np.array([attrs.axis], np.int32),))

    def least_output_scale(self, attrs: Any, input_scales: Sequence[float], dtype: str) -> float:
        return input_scales[0] / 2 ** (SUM_BITS - 1)

    def is_monotone(self, node: BoundNode) -> bool:
        return True

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        x = node.input(0).shape
        return None if node.attrs.axis == len(x) - 1 else np.arange(x[-1])

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (running_sums(x, node.attrs),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        steps = (x.astype(np.int64) - node.input(0).zero_point) << SUM_BITS
        acc = requantize(running_sums(steps, node.attrs), *sum_multiplier(node))
        return (to_output(acc + node.output.zero_point, node.output),)


def running_sums(x: np.ndarray, attrs: CumsumAttrs) -> np.ndarray:
    """x: [N, *shape]; same type in and out."""
    axis = attrs.axis + 1
    ordered = np.flip(x, axis) if attrs.reverse else x
    sums = np.cumsum(ordered, axis, dtype=x.dtype)
    if attrs.exclusive:
        sums = np.concatenate([np.zeros_like(sums.take([0], axis)), np.delete(sums, -1, axis)], axis)
    return np.flip(sums, axis) if attrs.reverse else sums


def sum_multiplier(node: BoundNode) -> tuple[int, int]:
    """(multiplier, shift) from sums in steps of 2**-SUM_BITS to the output."""
    return quantize_multiplier(
        scale_ratio((2.0, node.input(0).scale), 2 ** (SUM_BITS + 1) * node.output.scale)
    )


OPERATOR = Cumsum()
