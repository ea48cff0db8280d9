"""The types that the model shows to its user: int8, uint8 or float32, for inputs and for outputs.

The user-visible tensors keep their names; the int8 tensor behind one is called NAME/int8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcu_quant.errors import InvalidInputError
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check, unique_name
from mcu_quant.quantize.assign import quantize_node

EDGE_TYPES = ("int8", "uint8", "float32")


def check_edge_type(what: str, value: str) -> None:
    if value not in EDGE_TYPES:
        raise InvalidInputError(
            f"the {what} type must be a supported one", value=value, hint=", ".join(EDGE_TYPES)
        )


def convert_inputs(graph: Graph, dtype: str) -> Graph:
    """Graph inputs of that dtype, with a quantize node behind each one that is int8 inside."""
    for name in graph.inputs:
        if graph.tensors[name].dtype == "int8" and dtype != "int8":
            graph = _convert_input(graph, graph.tensors[name], dtype)
    return check(graph)


def convert_outputs(graph: Graph, dtype: str) -> Graph:
    """Graph outputs of that dtype, with a quantize or dequantize node before each one that is int8."""
    for name in dict.fromkeys(graph.outputs):
        if graph.tensors[name].dtype == "int8" and dtype != "int8":
            graph = _convert_output(graph, graph.tensors[name], dtype)
    return check(graph)


def _convert_input(graph: Graph, tensor: Tensor, dtype: str) -> Graph:
    inner = replace(tensor, name=unique_name(f"{tensor.name}/int8", graph.tensors))
    outer = _outer(tensor, dtype)
    nodes = _renamed(graph.nodes, {tensor.name: inner.name})
    convert = quantize_node(_node_name(graph, f"{tensor.name}/quantize"), outer.name, inner.name)
    tensors = {**graph.tensors, outer.name: outer, inner.name: inner}
    outputs = tuple(inner.name if name == tensor.name else name for name in graph.outputs)
    return graph.with_(nodes=(convert, *nodes), tensors=tensors, outputs=outputs)


def _convert_output(graph: Graph, tensor: Tensor, dtype: str) -> Graph:
    inner = replace(tensor, name=unique_name(f"{tensor.name}/int8", graph.tensors))
    if tensor.name in graph.inputs:
        inner, outer = (
            tensor,
            replace(_outer(tensor, dtype), name=unique_name(f"{tensor.name}/output", graph.tensors)),
        )
    else:
        outer = _outer(tensor, dtype)
    op = "dequantize" if dtype == "float32" else "quantize"
    convert = Node(_node_name(graph, f"{tensor.name}/{op}"), op, None, (inner.name,), (outer.name,))
    nodes = graph.nodes if inner is tensor else _renamed(graph.nodes, {tensor.name: inner.name})
    tensors = {**graph.tensors, inner.name: inner, outer.name: outer}
    outputs = tuple(outer.name if name == tensor.name else name for name in graph.outputs)
    return graph.with_(nodes=(*nodes, convert), tensors=tensors, outputs=outputs)


def _outer(tensor: Tensor, dtype: str) -> Tensor:
    """The same numbers as float32, or as uint8: q + 128 under zero_point + 128."""
    if dtype == "float32":
        return replace(tensor, dtype=dtype, quant=None)
    return replace(tensor, dtype=dtype, quant=QuantParams.per_tensor(tensor.scale, tensor.zero_point + 128))


def _renamed(nodes: tuple[Node, ...], names: Mapping[str, str]) -> tuple[Node, ...]:
    return tuple(
        replace(
            node,
            inputs=tuple(None if name is None else names.get(name, name) for name in node.inputs),
            outputs=tuple(names.get(name, name) for name in node.outputs),
        )
        for node in nodes
    )


def _node_name(graph: Graph, name: str) -> str:
    return unique_name(name, {node.name for node in graph.nodes})
