"""What operators share that read a table where indices say. An index beyond the table is limited to it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor, ValueRange
from mcu_quant.ops.base import SAME_SCALE, Constraint, Operator, QuantRule, Shape, TfliteNode
from mcu_quant.ops.forms import FORMS, PLAIN_TYPES
from mcu_quant.ops.ranges import channels_of, full_range, range_of, uniform_range

#: The sizes of the axes that a node's indices point along: one for all indices, or one for each entry of
#: the indices' last axis.
IndexedSizes = Callable[[BoundNode], Shape]

_INT32 = np.iinfo(np.int32)


class IndexOperator(Operator):
    """Inputs: a table, and int32 indices; either may be constant. Raw bytes.

    Constant indices must be inside the table. Computed ones are limited to it, each to 0 … size - 1, so that
    nothing else is ever read; TFLM and LiteRT give an error there.
    """

    float_is_exact = True
    is_selection = True
    plain_types = MappingProxyType({1: ("int32",)})
    plain_form = PLAIN_TYPES
    oracles = MappingProxyType({"int16": "LiteRT", "plain": "LiteRT"})
    quant_rule = QuantRule(output="same")
    indexed_sizes: ClassVar[IndexedSizes]

    @abstractmethod
    def entries(self, node: BoundNode, table: np.ndarray, indices: IntArray) -> np.ndarray:
        """What is read. table: [N or 1, *shape]. indices: int64 [N or 1, *shape], inside the table."""

    @abstractmethod
    def keeps_channels(self, node: BoundNode) -> bool:
        """Whether the output's last axis is the table's, all of it in order."""

    def index_limits(self, node: BoundNode, index: int) -> tuple[int, int] | None:
        """(least, largest) index that is inside the table; None if that input is the table."""
        return (0, min(type(self).indexed_sizes(node)) - 1) if index == 1 else None

    def value_range(self, node: BoundNode) -> tuple[ValueRange | None, ...]:
        """Of the whole table, whatever is read of it."""
        if full_range(node.output) is None:
            return super().value_range(node)
        table = range_of(node.input(0))
        if self.keeps_channels(node):
            assert channels_of(node.output) == len(table.low)
            return (table,)
        return (uniform_range(node.output, int(table.low.min()), int(table.high.max())),)

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        table, indices = (_with_samples(x, t) for x, t in zip(inputs, node.inputs, strict=True))
        last = np.array(type(self).indexed_sizes(node)) - 1
        return (self.entries(node, table, np.clip(indices.astype(np.int64), 0, last)),)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        return self.run_float(node, inputs)


def index_rules(sizes: IndexedSizes) -> tuple[Constraint, ...]:
    """The constraints of an IndexOperator."""

    def first_outside(node: BoundNode) -> int | None:
        data = node.input(1).data
        if data is None:
            return None
        data = np.atleast_1d(data)
        wrong = data[(data < 0) | (data >= np.array(sizes(node)))]
        return int(wrong[0]) if wrong.size else None

    return (
        SAME_SCALE,
        Constraint(
            "the table and the output must be of one type",
            lambda node: node.input(0).dtype in (node.output.dtype, "float16"),
            lambda node: f"{node.input(0).dtype} and {node.output.dtype}",
            "the same type for both",
            forms=FORMS,
        ),
        Constraint(
            "constant indices must be inside the table",
            lambda node: first_outside(node) is None,
            first_outside,
            "indices from 0 to the size of the axis less one",
            forms=FORMS,
        ),
    )


def table_and_indices(node: TfliteNode) -> tuple[Tensor, Tensor]:
    """The inputs of an operator in a file; constant int64 indices as int32 ones.

    Indices beyond int32 stay beyond any table. AssertionError or ValueError if there are not these two.
    """
    table, indices = node.inputs
    assert table is not None and indices is not None, "a table and indices"
    if indices.data is not None and indices.dtype == "int64":
        narrow = np.clip(indices.data, _INT32.min, _INT32.max).astype(np.int32)
        indices = Tensor.constant(indices.name, narrow)
    return table, indices


def _with_samples(x: np.ndarray | None, tensor: Tensor | None) -> np.ndarray:
    assert x is not None and tensor is not None
    return x if x.ndim > len(tensor.shape) else x[None]
