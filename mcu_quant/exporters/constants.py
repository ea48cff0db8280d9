"""What TFLite has otherwise: a DEQUANTIZE behind constants narrower than float32, biases of 0."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Node, Tensor, check, unique_name
from mcu_quant.ops.forms import FLOAT_FORMS, form_of

_STORED = ("float16", "int8")


def with_dequantized_constants(graph: Graph) -> Graph:
    """The graph with a dequantize node behind each such constant, once for all who read it.

    Hybrid nodes read int8 weights as they are.
    """
    nodes: list[Node] = []
    tensors, real = dict(graph.tensors), dict[str, str]()
    taken = {node.name for node in graph.nodes}
    for node in graph.bound_nodes():
        inputs = list(node.node.inputs)
        for index, tensor in enumerate(node.inputs):
            if tensor is None or not _is_stored(node, tensor):
                continue
            if tensor.name not in real:
                name = unique_name(f"{tensor.name}/real", tensors)
                tensors[name] = Tensor(name, tensor.shape)
                nodes.append(Node(unique_name(name, taken), "dequantize", None, (tensor.name,), (name,)))
                real[tensor.name] = name
                taken.add(nodes[-1].name)
            inputs[index] = real[tensor.name]
        nodes.append(replace(node.node, inputs=tuple(inputs)))
    return check(graph.with_(nodes=tuple(nodes), tensors=tensors)) if real else graph


def with_biases(graph: Graph) -> Graph:
    """The graph with a bias of 0 for float convolutions without one: LiteRT refuses those."""
    tensors, nodes = dict(graph.tensors), list[Node]()
    for node in graph.bound_nodes():
        inputs = node.node.inputs
        if node.node.op == "conv_2d" and form_of(node) in FLOAT_FORMS and node.optional_input(2) is None:
            name = unique_name(f"{node.name}/bias", tensors)
            tensors[name] = Tensor.constant(name, np.zeros(node.output.shape[-1], np.float32))
            inputs = (*inputs[:2], name)
        nodes.append(replace(node.node, inputs=inputs))
    return check(graph.with_(nodes=tuple(nodes), tensors=tensors))


def _is_stored(node: BoundNode, tensor: Tensor) -> bool:
    return tensor.is_constant and tensor.dtype in _STORED and form_of(node) == "float"
