"""Name every activation after the layer that computes it.

A .tflite file names tensors, not operators; with this, a layer keeps its Keras name in every tool.
"""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import Graph, unique_name


def name_activations(graph: Graph) -> Graph:
    """Outputs of nodes get the node's name; inputs and outputs of the graph, and constants, keep theirs."""
    names = {name: name for name in graph.tensors}
    written = {name for node in graph.nodes for name in node.outputs} - set(graph.kept)
    taken = set(graph.tensors) - written
    for node in graph.nodes:
        for output in written.intersection(node.outputs):
            names[output] = unique_name(node.name, taken)
            taken.add(names[output])
    nodes = tuple(
        replace(
            node,
            inputs=tuple(None if name is None else names[name] for name in node.inputs),
            outputs=tuple(names[name] for name in node.outputs),
        )
        for node in graph.nodes
    )
    tensors = {names[name]: replace(tensor, name=names[name]) for name, tensor in graph.tensors.items()}
    return graph.with_(nodes=nodes, tensors=tensors)
