"""What operators of one element at a time share: their int8 form is exactly a table of 256 values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, IntArray, quantize_multiplier
from mcu_quant.ir import BoundNode, Tensor, ValueRange
from mcu_quant.ops.base import Constraint, Operator, Shape, TfliteNode, scale_ratio
from mcu_quant.ops.ranges import QUANTIZED, channels_of, range_of, table_range

BYTES = np.arange(256, dtype=np.uint8)


class UnaryOperator(Operator):
    """Input: x, of any shape; the output has the same."""

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
        first = np.iinfo(x.dtype).min
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
        return (self.table(node)[x.view(np.uint8)],)

    def table(self, node: BoundNode) -> np.ndarray:
        """The output for each input, indexed by the input's byte: int8 or uint8 [256]."""
        dtype = np.dtype(node.output.dtype)
        limits = np.iinfo(dtype)
        values = self.values(node, BYTES.view(node.input(0).dtype).astype(np.int64))
        return np.clip(values, limits.min, limits.max).astype(dtype)

    def ordered_table(self, node: BoundNode) -> np.ndarray:
        """The output for each input from the smallest on: int8 or uint8 [256]."""
        return self.table(node)[np.argsort(BYTES.view(node.input(0).dtype))]


def rescale_multiplier(node: BoundNode, factor: float = 1.0) -> tuple[int, int]:
    """(multiplier, shift) from the input's scale, times a factor, to the output's."""
    return quantize_multiplier(scale_ratio((factor, node.input(0).scale), node.output.scale))


def rescale_fits(node: BoundNode, factor: float = 1.0) -> bool:
    """Whether 255 steps of the input can be shifted as rescale_multiplier says, in int32."""
    _, shift = rescale_multiplier(node, factor)
    return 255 * 2 ** max(shift, 0) <= INT32_MAX


RESCALE_FITS = Constraint(
    "scale(input) / scale(output) must be below 2**23",
    rescale_fits,
    lambda node: node.input(0).scale / node.output.scale,
    "calibrate with representative data",
)
