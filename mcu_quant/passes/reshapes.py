"""Merge reshapes, and transpositions, and drop those that change nothing."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops.transpose import joined
from mcu_quant.passes.rewrite import View, apply_everywhere


def simplify_reshapes(graph: Graph) -> Graph:
    """Of consecutive reshapes keep the last, of transpositions one that does it all; drop those to the same
    shape or order. Outputs keep their names."""
    return apply_everywhere(apply_everywhere(graph, _merge), _drop)


def _merge(view: View, node: BoundNode) -> Graph | None:
    """A reshape of a reshape reads what the first one reads; so does a transposition of a transposition."""
    op = node.node.op
    producer = view.producer(node.node.inputs[0]) if op in ("reshape", "transpose") else None
    if producer is None or producer.node.op != op:
        return None
    attrs = joined(producer.attrs, node.attrs) if op == "transpose" else node.attrs
    merged = replace(node.node, inputs=producer.node.inputs, attrs=attrs)
    first_is_needed = view.only_reader(producer.output.name) is None
    kept = [producer.node] if first_is_needed else []
    return view.replaced({producer.name: kept, node.name: [merged]})


def _drop(view: View, node: BoundNode) -> Graph | None:
    same = node.input(0).shape == node.output.shape
    if node.node.op == "transpose":
        same = list(node.attrs.permutation) == sorted(node.attrs.permutation)
    return drop_identity(view, node) if same and node.node.op in ("reshape", "transpose") else None


def drop_identity(view: View, node: BoundNode) -> Graph | None:
    """The graph without a node whose output equals its first input; None if both must exist by name."""
    source, target = node.input(0).name, node.output.name
    if target not in view.graph.kept:
        nodes = [other.renamed({target: source}) for other in view.graph.nodes if other.name != node.name]
        return view.graph.with_(nodes=tuple(nodes))
    if source in view.graph.kept or source not in view.producers:
        return None
    nodes = [other.renamed({source: target}) for other in view.graph.nodes if other.name != node.name]
    return view.graph.with_(nodes=tuple(nodes))
