"""Of transpositions behind each other, one: converters put one before a layer and its inverse behind it."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import Graph, Node
from mcu_quant.ops.transpose import joined


def merge_transposes(graph: Graph) -> Graph:
    """The graph in which no transposition reads another; the same graph if none does.

    Inverse ones are then one that moves nothing, and that is no code.
    """
    producers = graph.producers()
    merged = {node.name: new for node in graph.nodes if (new := _merged(node, producers)) is not None}
    if not merged:
        return graph
    nodes = [merged.get(node.name, node) for node in graph.nodes]
    read = {*graph.kept, *(name for node in nodes for name in node.inputs)}
    kept = (node for node in nodes if node.op != "transpose" or node.outputs[0] in read)
    return graph.with_(nodes=tuple(kept))


def _merged(node: Node, producers: dict[str, Node]) -> Node | None:
    """The transposition of what the one before it reads; None if there is none before it."""
    before = producers.get(str(node.inputs[0])) if node.op == "transpose" else None
    if before is None or before.op != "transpose":
        return None
    return replace(node, attrs=joined(before.attrs, node.attrs), inputs=before.inputs)
