"""A layer normalization of int16 steps becomes one node, so that nothing of it lies in the arena."""

from __future__ import annotations

from mcu_quant.ir import Graph, Node
from mcu_quant.ops.normalize_rows import NORMALIZE_ROWS, Candidate, NormalizeRowsAttrs, candidates


def merge_normalizations(graph: Graph) -> Graph:
    """The graph with such chains as `normalize_rows` nodes, called like their last node.

    The same graph if there are none. No bit changes: the node's reference is the chain.
    """
    found = {candidate.nodes[-1].name: candidate for candidate in candidates(graph)}
    if not found:
        return graph
    readers, inside = graph.consumers(), set[str]()
    for candidate in found.values():
        names = {node.name for node in candidate.nodes}
        inside |= {
            node.name
            for node in candidate.nodes
            if node.output.name not in graph.kept
            and all(reader.name in names for reader in readers[node.output.name])
        }
    nodes = tuple(
        _merged(graph, found[node.name]) if node.name in found else node
        for node in graph.nodes
        if node.name in found or node.name not in inside
    )
    return graph.with_(nodes=nodes)


def _merged(graph: Graph, candidate: Candidate) -> Node:
    source, last = candidate.source.name, candidate.nodes[-1]
    nodes = tuple(node.node for node in candidate.nodes)
    inner = graph.with_(nodes=nodes, inputs=(source,), outputs=last.node.outputs, states=())
    return Node(last.name, NORMALIZE_ROWS.name, NormalizeRowsAttrs(inner), (source,), last.node.outputs)
