"""The types that the model shows to its user, for inputs and for outputs: ActivationType.edges.

The user-visible tensors keep their names; the tensor behind one is called NAME/int8 (or /int16).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcu_quant.errors import InvalidInputError
from mcu_quant.fixed_point import INT8_MAX, INT16_MAX
from mcu_quant.ir import Graph, Node, QuantParams, Tensor, check, unique_name
from mcu_quant.quantize.activation_types import ACTIVATION_TYPES, ActivationType
from mcu_quant.quantize.assign import quantize_node


def check_edge_type(what: str, value: str, kind: ActivationType) -> None:
    if value not in kind.edges:
        raise InvalidInputError(
            f"the {what} type must be one that goes with {kind.dtype} activations",
            value=value,
            hint=", ".join(kind.edges),
        )


def convert_inputs(graph: Graph, dtype: str) -> Graph:
    """Integer inputs of that dtype, with a quantize node behind each one that is another integer inside."""
    for name in graph.inputs:
        tensor = graph.tensors[name]
        if tensor.dtype in ACTIVATION_TYPES and tensor.dtype != dtype:
            retyped = dtype == "uint8" and _only_becomes_float(graph, name)
            graph = _retyped(graph, tensor) if retyped else _convert_input(graph, tensor, dtype)
    return check(graph)


def _only_becomes_float(graph: Graph, name: str) -> bool:
    return name not in graph.outputs and all(node.op == "dequantize" for node in graph.consumers()[name])


def _retyped(graph: Graph, tensor: Tensor) -> Graph:
    """With the int8 tensor as uint8: what is between it and float32 does not mind."""
    return graph.with_(tensors={**graph.tensors, tensor.name: _outer(tensor, "uint8")})


def convert_outputs(graph: Graph, dtype: str) -> Graph:
    """Integer outputs of that dtype, with a quantize or dequantize node before each one that is not.

    What comes from float32 becomes uint8 in two steps: TFLM has no QUANTIZE for it in one.
    """
    for name in dict.fromkeys(graph.outputs):
        tensor = graph.tensors[name]
        if tensor.dtype in ACTIVATION_TYPES and tensor.dtype != dtype:
            graph = _convert_output(graph, tensor, dtype)
    return check(graph)


def _convert_input(graph: Graph, tensor: Tensor, dtype: str) -> Graph:
    inner = replace(tensor, name=unique_name(f"{tensor.name}/{tensor.dtype}", graph.tensors))
    outer = _outer(tensor, dtype)
    nodes = _renamed(graph.nodes, {tensor.name: inner.name})
    convert = quantize_node(_node_name(graph, f"{tensor.name}/quantize"), outer.name, inner.name)
    tensors = {**graph.tensors, outer.name: outer, inner.name: inner}
    outputs = tuple(inner.name if name == tensor.name else name for name in graph.outputs)
    return graph.with_(nodes=(convert, *nodes), tensors=tensors, outputs=outputs)


def _convert_output(graph: Graph, tensor: Tensor, dtype: str) -> Graph:
    inner = replace(tensor, name=unique_name(f"{tensor.name}/{tensor.dtype}", graph.tensors))
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
    """The same numbers as float32; int8 as uint8: q + 128 under zero_point + 128; int16 as int8: coarser."""
    if dtype == "float32":
        return replace(tensor, dtype=dtype, quant=None)
    if tensor.dtype == "int16":
        return replace(tensor, dtype=dtype, quant=QuantParams.per_tensor(tensor.scale * INT16_MAX / INT8_MAX))
    return replace(tensor, dtype=dtype, quant=QuantParams.per_tensor(tensor.scale, tensor.zero_point + 128))


def _renamed(nodes: tuple[Node, ...], names: Mapping[str, str]) -> tuple[Node, ...]:
    return tuple(node.renamed(names) for node in nodes)


def _node_name(graph: Graph, name: str) -> str:
    return unique_name(name, {node.name for node in graph.nodes})
