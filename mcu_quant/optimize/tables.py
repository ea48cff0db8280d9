"""Chains of element-wise operators from byte to byte, floats in between or not, become one table each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import Graph, Node, Tensor
from mcu_quant.ops.elementwise import Chain, byte_chains
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.lookup import LOOKUP, LookupAttrs


def tabulate(graph: Graph) -> Graph:
    """The graph with such chains as `lookup` nodes, which keep the name of the last node of each.

    The same graph if there are none. No bit changes: the tables are made by the reference, node by node.
    """
    chains = byte_chains(graph)
    if not chains:
        return graph
    tables = {
        chain.nodes[-1].name: Node(
            chain.nodes[-1].name, LOOKUP.name, _tabulated(graph, chain), (chain.source,), (chain.target,)
        )
        for chain in chains
    }
    nodes = tuple(tables.get(node.name, node) for node in graph.nodes)
    replaced = {node.name for chain in chains for node in chain.nodes} - tables.keys()
    return graph.with_(nodes=_without_unread(graph, nodes, replaced))


def _without_unread(graph: Graph, nodes: tuple[Node, ...], removable: set[str]) -> tuple[Node, ...]:
    """Without those nodes whose outputs nothing reads any more."""
    needed = set(graph.kept)
    kept = []
    for node in reversed(nodes):
        if node.name not in removable or needed.intersection(node.outputs):
            kept.append(node)
            needed.update(name for name in node.inputs if name is not None)
    return tuple(reversed(kept))


def _tabulated(graph: Graph, chain: Chain) -> LookupAttrs:
    """The chain's table: its nodes, run one after the other by the reference on every byte."""
    scalars = {name: _as_scalar(tensor) for name, tensor in graph.tensors.items()}
    edges = {"inputs": (chain.source,), "outputs": (chain.target,), "states": ()}
    inner = graph.with_(nodes=chain.nodes, tensors=scalars, **edges)
    limits = np.iinfo(graph.tensors[chain.source].dtype)
    every = np.arange(limits.min, limits.max + 1).astype(limits.dtype).reshape(256, 1)
    with np.errstate(all="ignore"):  # beyond an operator's domain NaN counts as 0.0, and infinities saturate
        (table,) = run_graph(inner, [every])
    return LookupAttrs(table.reshape(256), tuple((node.name, node.op) for node in chain.nodes))


def _as_scalar(tensor: Tensor) -> Tensor:
    if tensor.data is not None and tensor.elements != 1:
        return tensor  # not of the chain
    data = None if tensor.data is None else tensor.data.reshape(1)
    return replace(tensor, shape=(1,), data=data, value_range=None)
