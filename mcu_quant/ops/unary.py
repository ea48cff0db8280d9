"""What operators of one element at a time share: from a byte to a byte they are exactly a table of 256."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, IntArray, quantize_multiplier
from mcu_quant.ir import BoundNode, Tensor, ValueRange
from mcu_quant.ops.base import Constraint, Operator, Shape, TfliteNode, scale_ratio, to_output
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.ranges import QUANTIZED, channels_of, range_of, table_range

BYTES = np.arange(256, dtype=np.uint8)


class UnaryOperator(Operator):
    """Input: x, of any shape; the output has the same."""

    is_elementwise = True

    @abstractmethod
    def values(self, node: BoundNode, q: IntArray) -> IntArray:
        """The outputs for quantized inputs q, before they are limited to the output's type."""

    @abstractmethod
    def meaning(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        """float32 to float32."""

    def output_shapes(self, attrs: Any, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        (x,) = input_shapes
        return (x,)

    def from_tflite(self, node: TfliteNode) -> tuple[Any, tuple[Tensor | None, ...]]:
        return None, node.inputs

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        x = node.input(0)
        if x.dtype not in QUANTIZED or node.output.dtype not in QUANTIZED:
            return super().value_range(node)
        first = int(np.iinfo(x.dtype).min)
        return (table_range(self.ordered_table(node), range_of(x), first),)

    def channel_sources(self, node: BoundNode) -> IntArray | None:
        return np.arange(channels_of(node.output))

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (self.meaning(node, x),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        (x,) = inputs
        assert x is not None
        return (self.ordered_table(node)[x.astype(np.int64) - np.iinfo(x.dtype).min],)

    def ordered_table(self, node: BoundNode) -> np.ndarray:
        """The output for each input from the smallest on, of the output's dtype: [256] or [65536]."""
        limits = np.iinfo(node.input(0).dtype)
        q = np.arange(limits.min, limits.max + 1, dtype=np.int64)
        return to_output(self.values(node, q), node.output)


def rescale_multiplier(node: BoundNode, factor: float = 1.0) -> tuple[int, int]:
    """(multiplier, shift) from the input's scale, times a factor, to the output's."""
    return quantize_multiplier(scale_ratio((factor, node.input(0).scale), node.output.scale))


def rescale_fits(node: BoundNode, factor: float = 1.0) -> bool:
    """Whether what an input may be can be shifted as rescale_multiplier says, in int32."""
    _, shift = rescale_multiplier(node, factor)
    return RESCALED_STEPS[form_of(node)] * 2 ** max(shift, 0) <= INT32_MAX


#: The largest |q - zero_point| of each form, and the power of two that ratios stay below for its sake.
RESCALED_STEPS = {"int8": 255, "int16": 2**15}
_LARGEST_RATIO = {"int8": 23, "int16": 15}


def rescale_rules(
    name: str = "scale(input) / scale(output)",
    factor: Callable[[BoundNode], float] = lambda node: 1.0,
) -> tuple[Constraint, ...]:
    """One for each form: the rescaling that `name` says, by a factor besides the scales, fits int32."""
    return tuple(
        Constraint(
            f"{name} must be below 2**{exponent}",
            lambda node: node.input(0).dtype == "float32" or rescale_fits(node, factor(node)),
            lambda node: factor(node) * node.input(0).scale / node.output.scale,
            "calibrate with representative data",
            (form,),
        )
        for form, exponent in _LARGEST_RATIO.items()
    )
