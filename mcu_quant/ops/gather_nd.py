"""gather_nd: parts of a table, each named by its indices along the table's first axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Constraint, Shape, TfliteForm, TfliteNode
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.indexing import IndexOperator, index_rules, table_and_indices

#: As many as TFLM takes (MAX_INDICES_ND in gather_nd.cc).
MAX_DEPTH = 5


def _indexed(node: BoundNode) -> Shape:
    return node.input(0).shape[: node.input(1).shape[-1]]


class GatherNd(IndexOperator):
    """indices: [..., depth], each row a place along the table's first `depth` axes."""

    name = "gather_nd"
    tflite_builtins = ("GATHER_ND",)
    indexed_sizes = _indexed
    constraints = (
        *index_rules(_indexed),
        Constraint(
            f"at most {MAX_DEPTH} indices for one part",
            lambda node: node.input(1).shape[-1] <= MAX_DEPTH,
            lambda node: node.input(1).shape,
            "reshape the table, to index fewer axes",
            forms=FORMS,
        ),
    )

    def output_shapes(self, attrs: Any, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        table, indices = input_shapes
        if not indices or indices[-1] > len(table):
            raise ValueError(f"indices of shape {indices} for a table of {table}")
        return ((*indices[:-1], *table[indices[-1] :]),)

    def from_tflite(self, node: TfliteNode) -> tuple[Any, tuple[Tensor | None, ...]]:
        return None, table_and_indices(node)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        return TfliteForm("GATHER_ND", 3, "GatherNdOptions")

    def keeps_channels(self, node: BoundNode) -> bool:
        return node.input(1).shape[-1] < len(node.input(0).shape)

    def entries(self, node: BoundNode, table: np.ndarray, indices: IntArray) -> np.ndarray:
        depth = indices.shape[-1]
        samples = max(len(table), len(indices))
        where = indices.reshape(len(indices), -1, depth)
        place = (np.arange(len(table))[:, None], *np.moveaxis(where, -1, 0))
        found = table[place]
        return found.reshape(samples, *node.output.shape)


OPERATOR = GatherNd()
