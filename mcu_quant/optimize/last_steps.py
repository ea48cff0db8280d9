"""A recurrent layer of which only the last step is read writes only that one: no arena for the sequence."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import BoundNode, Graph, Node


def merge_last_steps(graph: Graph) -> Graph:
    """The graph with such layers and the slices behind them as one node; the same graph if there are none."""
    readers, merged = graph.consumers(), dict[str, Node]()
    for node in graph.bound_nodes():
        y, attrs = node.output.name, node.attrs
        is_whole = getattr(attrs, "sequences", False) and not getattr(attrs, "time_major", False)
        if not is_whole or y in graph.kept or len(readers[y]) != 1:
            continue
        (reader,) = readers[y]
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
    if len(node.input(0).shape) != 3:
        return False
    steps, units = node.input(0).shape[1:]
    attrs = node.attrs
    return bool(
        attrs.begin == (0, steps - 1, 0)
        and attrs.sizes == (1, 1, units)
        and attrs.strides[2] == 1
        and attrs.dropped == (1,)
    )
