"""Inputs of a model that are indices (token ids): int32, whatever type Keras declares for them."""

from __future__ import annotations

from dataclasses import replace

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.index_limits import moves

#: What is read of a tensor.
_INDEX, _NUMBER = "index", "number"


def with_index_inputs(graph: Graph) -> Graph:
    """The float graph with int32 for the inputs that only say where to read, and what is moved of them.

    Raises UnsupportedModelError for what is read as an index and is a number, too, or is computed.
    """
    read_as = _uses(graph)
    indices = {name for name, uses in read_as.items() if _INDEX in uses and not _is_plain(graph, name)}
    if problems := _problems(graph, read_as, indices):
        raise UnsupportedModelError(problems)
    retyped = {name: replace(graph.tensors[name], dtype="int32") for name in indices}
    return check(graph.with_(tensors={**graph.tensors, **retyped}))


def _is_plain(graph: Graph, name: str) -> bool:
    return graph.tensors[name].dtype != "float32"


def _uses(graph: Graph) -> dict[str, set[str]]:
    """Of every tensor, for what its elements are used in the end."""
    found: dict[str, set[str]] = {name: {_NUMBER} for name in graph.outputs}
    for node in reversed(list(graph.bound_nodes())):
        for index, tensor in enumerate(node.inputs):
            if tensor is not None:
                found.setdefault(tensor.name, set()).update(_uses_by(node, index, found))
    return found


def _uses_by(node: BoundNode, index: int, found: dict[str, set[str]]) -> set[str]:
    if "int32" in OPERATORS[node.node.op].plain_types.get(index, ()):
        return {_INDEX}
    return found.get(node.outputs[0].name, {_NUMBER}) if moves(node, index) else {_NUMBER}


def _problems(graph: Graph, read_as: dict[str, set[str]], indices: set[str]) -> list[Problem]:
    problems = [
        Problem(
            "what is an index must not be used as a number, too",
            name,
            "both",
            "two inputs: one for the ids, one for the numbers",
        )
        for name in sorted(indices)
        if _NUMBER in read_as[name]
    ]
    problems += [
        Problem("indices must come from an input of the model", node.name, node.node.op, "feed the ids")
        for node in graph.bound_nodes()
        if not indices.isdisjoint(node.node.outputs)
        and not any(moves(node, index) for index in range(len(node.inputs)))
    ]
    return problems
