"""Indices that count from the end where below 0, as SavedModels of Keras have them: read as they are.

Keras computes where(ids < 0, ids + n, ids) in front of a table of n entries. In int8 that would be arithmetic
on rounded ids; and ids below 0 are refused here, whatever file a model comes from (ops/index_limits.py).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops.index_limits import casts
from mcu_quant.ops.interpreter import run_node

_BoundNodes = dict[str, BoundNode]


def without_wraps(graph: Graph) -> Graph:
    """The float graph with each gather reading the ids themselves; the same graph if nothing is wrapped."""
    producers = {name: node for node in graph.bound_nodes() for name in node.node.outputs}
    found: dict[str, str] = {}
    for node in graph.bound_nodes():
        if node.node.op == "gather" and (ids := _wrapped(node, producers)) is not None:
            found[node.name] = ids
    if not found:
        return graph
    nodes = [
        replace(node, inputs=(node.inputs[0], found[node.name])) if node.name in found else node
        for node in graph.nodes
    ]
    return graph.with_(nodes=_needed(nodes, graph.kept))


def _wrapped(gather: BoundNode, producers: _BoundNodes) -> str | None:
    """The ids behind the gather's indices, if these are ids that are wrapped around its table."""
    size = gather.input(0).shape[gather.attrs.axis]
    node = producers.get(gather.input(1).name)
    if node is not None and casts(node):
        node = producers.get(node.input(0).name)
    if node is None or node.node.op != "select_v2":
        return None
    condition, moved = (producers.get(node.input(index).name) for index in (0, 1))
    ids = node.input(2).name
    below = condition is not None and condition.node.op == "less" and _gives(condition, ids, -1, 1)
    at_zero = condition is not None and below and _gives(condition, ids, 0, 0)
    adds = moved is not None and moved.node.op in ("add", "batch_normalization")
    is_sum = moved is not None and adds and all(_gives(moved, ids, -k, size - k) for k in (1, size))
    return ids if at_zero and is_sum else None


def _gives(node: BoundNode, ids: str, value: int, expected: int) -> bool:
    """Whether the node, of constants but for the ids, gives that everywhere for ids of that value."""
    operands: list[np.ndarray | None] = []
    for tensor in node.inputs:
        if tensor is None or not (tensor.is_constant or tensor.name == ids):
            return False
        operands.append(
            tensor.data if tensor.is_constant else np.full((1, *tensor.shape), value, tensor.dtype)
        )
    return bool((run_node(node, operands)[0] == expected).all())


def _needed(nodes: list[Node], outputs: tuple[str, ...]) -> tuple[Node, ...]:
    needed, kept = set(outputs), []
    for node in reversed(nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(name for name in node.inputs if name is not None)
            kept.append(node)
    return tuple(kept[::-1])
