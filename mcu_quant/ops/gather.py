"""gather: along one axis of a table, the entries that indices name. Embeddings are this, too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.errors import InvalidModelError
from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import Shape, TfliteForm, TfliteNode
from mcu_quant.ops.indexing import IndexOperator, index_rules, table_and_indices
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused


@dataclass(frozen=True)
class GatherAttrs:
    """axis: of the table, not negative. batch_dims: how many leading axes table and indices share."""

    axis: int
    batch_dims: int = 0


def _indexed(node: BoundNode) -> Shape:
    return (node.input(0).shape[node.attrs.axis],)


class Gather(IndexOperator):
    """The output's shape is the table's, with the indices' shape (less batch_dims) in place of the axis."""

    name = "gather"
    attrs_type = GatherAttrs
    tflite_builtins = ("GATHER", "EMBEDDING_LOOKUP")
    keras_layers = ("Embedding",)
    indexed_sizes = _indexed
    constraints = index_rules(_indexed)

    def output_shapes(self, attrs: GatherAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        table, indices = input_shapes
        axis, batch_dims = attrs.axis, attrs.batch_dims
        if not 0 <= batch_dims <= axis < len(table) or table[:batch_dims] != indices[:batch_dims]:
            raise ValueError(f"{attrs} does not fit a table of {table} and indices of {indices}")
        return ((*table[:axis], *indices[batch_dims:], *table[axis + 1 :]),)

    def from_keras(self, layer: KerasLayer, inputs: Sequence[str], builder: GraphBuilder) -> str:
        if layer.config.get("mask_zero"):
            raise LayerRefused(
                "an embedding must not mask: later layers would have to know of it",
                value="mask_zero=True",
                hint="mask_zero=False, and a row of the table for padding",
            )
        (table,) = layer.weights
        return builder.add(
            self.name, layer.name, GatherAttrs(0), [builder.constant(f"{layer.name}/table", table), *inputs]
        )

    def from_tflite(self, node: TfliteNode) -> tuple[GatherAttrs, tuple[Tensor | None, ...]]:
        if node.builtin == "EMBEDDING_LOOKUP":
            indices, table = node.inputs
            return GatherAttrs(0), (table, indices)
        table, indices = table_and_indices(node)
        axis, batch_dims = int(node.option("Axis")), int(node.option("BatchDims"))
        rank, index_rank = len(table.shape), len(indices.shape)
        if not (-rank <= axis < rank and -index_rank <= batch_dims <= index_rank):
            raise InvalidModelError(
                f"the axis must be within {rank} axes, batch_dims within {index_rank}",
                layer=node.name,
                value=f"axis {axis}, batch_dims {batch_dims}",
            )
        return GatherAttrs(axis % rank, batch_dims + (index_rank if batch_dims < 0 else 0)), (table, indices)

    def to_tflite(self, node: BoundNode) -> TfliteForm:
        options = {"Axis": node.attrs.axis, "BatchDims": node.attrs.batch_dims}
        return TfliteForm("GATHER", 5 if node.attrs.batch_dims else 2, "GatherOptions", options)

    def keeps_channels(self, node: BoundNode) -> bool:
        return node.attrs.axis < len(node.input(0).shape) - 1

    def entries(self, node: BoundNode, table: np.ndarray, indices: IntArray) -> np.ndarray:
        shape, attrs = node.input(0).shape, node.attrs
        batch = math.prod(shape[: attrs.batch_dims])
        inner = math.prod(shape[attrs.axis + 1 :])
        x = table.reshape(len(table), batch, -1, shape[attrs.axis], inner)
        where = indices.reshape(len(indices), batch, -1)
        samples = max(len(x), len(where))
        sample, batches = np.ogrid[: len(x), :batch]
        found = x[sample[..., None], batches[..., None], :, where]  # [N, batch, indices, outer, inner]
        return found.swapaxes(2, 3).reshape(samples, *node.output.shape)


OPERATOR = Gather()
