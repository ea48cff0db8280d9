"""Compute, once and for all, what does not depend on the input."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.passes.rewrite import View, apply_everywhere


def fold_constants(graph: Graph) -> Graph:
    """Float nodes with only constant inputs become constants, except those that write graph outputs."""
    return apply_everywhere(graph, _fold)


def _fold(view: View, node: BoundNode) -> Graph | None:
    present = [tensor for tensor in node.inputs if tensor is not None]
    if not present or any(tensor.data is None for tensor in present):
        return None
    if any(tensor.name in view.graph.outputs for tensor in node.outputs):
        return None
    values = OPERATORS[node.node.op].run_float(*_as_one_sample(node))
    tensors = {
        tensor.name: Tensor.constant(tensor.name, np.asarray(value[0], np.dtype(tensor.dtype)))
        for tensor, value in zip(node.outputs, values, strict=True)
    }
    nodes = tuple(other for other in view.graph.nodes if other.name != node.name)
    return view.graph.with_(nodes=nodes, tensors={**view.graph.tensors, **tensors})


def _as_one_sample(node: BoundNode) -> tuple[BoundNode, list[np.ndarray | None]]:
    """The node with its first input made an activation of one sample, so that the result is one, too."""
    values: list[np.ndarray | None] = [None if tensor is None else tensor.data for tensor in node.inputs]
    first, data = node.inputs[0], values[0]
    assert first is not None and data is not None
    values[0] = data[None]
    return replace(node, inputs=(replace(first, data=None), *node.inputs[1:])), values
