"""Inputs of a model that are indices (token ids): int32, whatever type Keras declares for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import BoundNode, Graph, check
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.index_limits import casts, moves

#: What the elements of a tensor are used for in the end: as indices, as indices behind a cast, as numbers.
_INDEX, _CAST, _NUMBER = "index", "cast", "number"
Uses = Mapping[str, set[str]]


def with_index_inputs(graph: Graph) -> Graph:
    """The float graph with int32 for the inputs that only say where to read, and what is moved of them.

    Casts of these are left out. Raises UnsupportedModelError for what is read as an index, without a cast,
    and is a number, too, or is computed.
    """
    uses = _uses(graph)
    indices = {name for name in graph.inputs if _is_index(graph, name, uses)}
    problems = [_both(name) for name in sorted(indices) if _NUMBER in uses[name]]
    for node in graph.bound_nodes():
        (output,) = node.node.outputs[:1]
        moved = [tensor.name for i, tensor in enumerate(node.inputs) if tensor is not None and moves(node, i)]
        if indices.isdisjoint(moved):
            problems += (
                [_computed(node)] if _INDEX in uses.get(output, ()) and _is_index(graph, output, uses) else []
            )
        elif indices.issuperset(name for name in moved if not graph.tensors[name].is_constant):
            indices.add(output)
        else:
            problems.append(_both(output))
    if problems:
        raise UnsupportedModelError(problems)
    retyped = {name: replace(graph.tensors[name], dtype="int32") for name in indices}
    return check(_without_casts(graph.with_(tensors={**graph.tensors, **retyped}), indices))


def _is_index(graph: Graph, name: str, uses: Uses) -> bool:
    """Whether a float32 tensor should rather be int32."""
    used = uses.get(name, set())
    return graph.tensors[name].dtype == "float32" and (_INDEX in used or used == {_CAST})


def _both(name: str) -> Problem:
    rule = "what is an index must not be used as a number, too"
    return Problem(rule, name, "both", "two inputs: one for the ids, one for the numbers")


def _computed(node: BoundNode) -> Problem:
    return Problem("indices must come from an input of the model", node.name, node.node.op, "feed the ids")


def _without_casts(graph: Graph, indices: set[str]) -> Graph:
    """Without the casts of these, which are int32 now."""
    same: dict[str, str] = {}
    nodes = []
    for node in graph.bound_nodes():
        inputs = tuple(None if name is None else same.get(name, name) for name in node.node.inputs)
        if casts(node) and inputs[0] is not None and inputs[0] in indices:
            same[node.output.name] = inputs[0]
        else:
            nodes.append(replace(node.node, inputs=inputs))
    return graph.with_(nodes=tuple(nodes))


def _uses(graph: Graph) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {name: {_NUMBER} for name in graph.outputs}
    for node in reversed(list(graph.bound_nodes())):
        for index, tensor in enumerate(node.inputs):
            if tensor is not None:
                found.setdefault(tensor.name, set()).update(_uses_by(node, index, found))
    return found


def _uses_by(node: BoundNode, index: int, found: Uses) -> set[str]:
    if OPERATORS[node.node.op].index_limits(node, index) is not None:
        return {_INDEX}
    behind = found.get(node.outputs[0].name, {_NUMBER})
    if casts(node):
        return {_NUMBER} if _NUMBER in behind else {_CAST}
    return behind if moves(node, index) else {_NUMBER}
