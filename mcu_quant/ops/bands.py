"""bands: several nodes that run together, some rows at a time. Made for a deployment; no file has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops.base import Operator, Shape


@dataclass(frozen=True, eq=False)
class BandsAttrs:
    """graph: the nodes, from one input to one output [1, H, W, C]. rows: of the output, in a band."""

    graph: Graph
    rows: int

    @property
    def bands(self) -> int:
        (output,) = self.graph.output_tensors()
        return -(-output.shape[1] // self.rows)

    @property
    def summary(self) -> str:
        rows = f"{self.rows} row" + ("s" if self.rows > 1 else "")
        return f"{len(self.graph.nodes)} layers in {self.bands} bands of {rows}"


class Bands(Operator):
    """Input: x [1, H, W, C]. What it computes is what its graph does."""

    name = "bands"
    is_internal = True

    def output_shapes(self, attrs: BandsAttrs, input_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        return tuple(tensor.shape for tensor in attrs.graph.output_tensors())

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        raise NotImplementedError(self.name)

    def run_integer(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        from mcu_quant.ops.interpreter import run_graph

        return tuple(run_graph(node.attrs.graph, [x for x in inputs if x is not None]))

    def macs(self, node: BoundNode) -> int:
        from mcu_quant.ops import OPERATORS

        return sum(OPERATORS[inner.node.op].macs(inner) for inner in node.attrs.graph.bound_nodes())


BANDS = Bands()
