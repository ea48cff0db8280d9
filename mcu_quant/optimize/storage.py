"""Halves that no kernel reads as they are become float32: biases, and operands of elementwise operators."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import BoundNode, Graph, Node
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.storage import real_values
from mcu_quant.optimize.rewrite import ConstantWriter


def widen_constants(graph: Graph) -> Graph:
    """The graph with float16 constants among weights only; the same graph if there are no others."""
    constants = ConstantWriter(graph)
    nodes = tuple(_widened(node, constants) for node in graph.bound_nodes())
    if not constants.written:
        return graph
    return graph.with_(nodes=nodes, tensors={**graph.tensors, **constants.written})


def _widened(node: BoundNode, constants: ConstantWriter) -> Node:
    rule = OPERATORS[node.node.op].quant_rule.weights
    inputs = list(node.node.inputs)
    for index, tensor in enumerate(node.inputs):
        is_weights = rule is not None and index == rule.index
        if tensor is not None and tensor.dtype == "float16" and tensor.data is not None and not is_weights:
            inputs[index] = constants.write(tensor.name, real_values(tensor, tensor.data), None)
    return node.node if inputs == list(node.node.inputs) else replace(node.node, inputs=tuple(inputs))
