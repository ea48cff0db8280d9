"""The reference as an engine: numpy, integers only, the bits that all others must give."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph

#: Samples at a time are so many that the largest layer's values take about this much memory, in bytes.
_BATCH_BYTES = 2**24


class ReferenceEngine:
    """run: [N, *shape] raw quantized arrays in and out; of a graph with states, runs from reset on."""

    name = "reference"

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        largest = max(tensor.elements for tensor in graph.tensors.values() if not tensor.is_constant)
        self._batch = max(1, _BATCH_BYTES // (8 * largest))

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        if self.graph.states:
            return run_graph(self.graph, inputs)
        starts = range(0, len(inputs[0]), self._batch)
        pieces = [run_graph(self.graph, [x[i : i + self._batch] for x in inputs]) for i in starts]
        return [np.concatenate(outputs) for outputs in zip(*pieces, strict=True)]
