"""Compute, once and for all, what does not depend on the input."""

from __future__ import annotations

from mcu_quant.ir import BoundNode, Graph
from mcu_quant.ops.folding import MAX_ELEMENTS, constant_outputs, is_constant, work
from mcu_quant.passes.rewrite import View, apply_everywhere


def fold_constants(graph: Graph) -> Graph:
    """Nodes with only constant inputs become constants, except those that write graph outputs."""
    return apply_everywhere(graph, _fold)


def _fold(view: View, node: BoundNode) -> Graph | None:
    if not is_constant(node) or work(node) > MAX_ELEMENTS:
        return None
    if any(tensor.name in view.graph.outputs for tensor in node.outputs):
        return None
    tensors = {tensor.name: tensor for tensor in constant_outputs(node)}
    nodes = tuple(other for other in view.graph.nodes if other.name != node.name)
    return view.graph.with_(nodes=nodes, tensors={**view.graph.tensors, **tensors})
