"""Remove nodes whose outputs nobody reads."""

from __future__ import annotations

from mcu_quant.ir import Graph


def remove_dead_nodes(graph: Graph) -> Graph:
    needed = set(graph.kept)
    kept = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(name for name in node.inputs if name is not None)
    return graph.with_(nodes=tuple(reversed(kept)))
