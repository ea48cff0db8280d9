"""A recurrent layer of which only the last step is read writes only that one: no arena for the sequence."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.recurrent import RecurrentOperator


def merge_last_steps(graph: Graph) -> Graph:
    """The graph with such layers and the slices behind them as one node; the same graph if there are none."""
    readers, merged = graph.consumers(), dict[str, Node]()
    for node in graph.bound_nodes():
        is_whole = isinstance(OPERATORS[node.node.op], RecurrentOperator) and node.attrs.sequences
        if not is_whole or node.output.name in graph.kept or len(readers[node.output.name]) != 1:
            continue
        (reader,) = readers[node.output.name]
        if _is_last_step(graph.bind(reader)):
            attrs, outputs = replace(node.attrs, sequences=False), (*reader.outputs, *node.node.outputs[1:])
            merged[node.name] = replace(node.node, attrs=attrs, outputs=outputs)
            merged[reader.name] = merged[node.name]
    if not merged:
        return graph
    nodes = [merged.get(node.name, node) for node in graph.nodes]
    return graph.with_(nodes=tuple(dict.fromkeys(nodes)))


def _is_last_step(node: BoundNode) -> bool:
    if node.node.op != "strided_slice":
        return False
    steps, units = node.input(0).shape[1:]
    attrs = node.attrs
    return bool(
        attrs.begin == (0, steps - 1, 0)
        and attrs.sizes == (1, 1, units)
        and attrs.strides[2] == 1
        and attrs.dropped == (1,)
    )
