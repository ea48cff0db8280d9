"""Value ranges: what each tensor of a quantized graph can hold, whatever the input."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.ranges import full_range


def annotate_ranges(graph: Graph) -> Graph:
    """The graph with value_range set for every quantized activation; earlier ones do not count."""
    tensors = {name: replace(tensor, value_range=None) for name, tensor in graph.tensors.items()}
    for tensor in graph.input_tensors():
        tensors[tensor.name] = replace(tensor, value_range=full_range(tensor))
    annotated = replace(graph, tensors=tensors)
    for node in graph.nodes:
        ranges = OPERATORS[node.op].value_range(annotated.bind(node))
        for name, known in zip(node.outputs, ranges, strict=True):
            tensors[name] = replace(tensors[name], value_range=known)
    return annotated
