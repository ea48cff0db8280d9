"""Name every activation after the layer that computes it.

A .tflite file names tensors, not operators; with this, a layer keeps its Keras name in every tool.
"""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.ir import Graph, state_name, unique_name


def name_activations(graph: Graph) -> Graph:
    """Outputs of nodes get the node's name, states behind them NAME/state_1, …

    Inputs and outputs of the graph, what is kept from run to run, and constants, keep theirs.
    """
    names = {name: name for name in graph.tensors}
    written = {name for node in graph.nodes for name in node.outputs} - set(graph.kept)
    taken = set(graph.tensors) - written
    outputs = [(index, node) for node in graph.nodes for index in range(len(node.outputs))]
    for index, node in sorted(outputs, key=lambda pair: pair[0] > 0):
        if (output := node.outputs[index]) in written:
            names[output] = unique_name(state_name(node.name, index), taken)
            taken.add(names[output])
    nodes = tuple(node.renamed(names) for node in graph.nodes)
    tensors = {names[name]: replace(tensor, name=names[name]) for name, tensor in graph.tensors.items()}
    return graph.with_(nodes=nodes, tensors=tensors)
