"""The float graph that a quantized model is compared with: the one that its numbers were rounded from."""

from __future__ import annotations

from mcu_quant.ir import Graph
from mcu_quant.passes import prepare


def reference_graph(graph: Graph) -> Graph:
    """A loaded float graph as `quantize` rounds it: one that was trained with quantization is it already."""
    return graph if graph.trained is not None else prepare(graph)
