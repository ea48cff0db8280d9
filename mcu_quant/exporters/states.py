"""States of a graph as a .tflite file has them: operators' own in variable tensors."""

from __future__ import annotations

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS


def variable_tensors(graph: Graph) -> dict[str, str]:
    """For each value of an operator's own state, the tensor that holds it before the run.

    Raises UnsupportedModelError where a value is read after the next one is there: a file has one tensor.
    """
    first = {state.before: state.before for state in graph.states if _is_own(graph, state.before)}
    for node in graph.nodes:
        for position, output in OPERATORS[node.op].state_inputs.items():
            name = node.inputs[position] if position < len(node.inputs) else None
            if name in first:
                first[node.outputs[output]] = first[name]
    _require_latest(graph, first)
    return first


def _is_own(graph: Graph, name: str) -> bool:
    """Whether an operator changes it for itself."""
    return any(
        position < len(node.inputs) and node.inputs[position] == name
        for node in graph.nodes
        for position in OPERATORS[node.op].state_inputs
    )


def _require_latest(graph: Graph, first: dict[str, str]) -> None:
    latest = {name: name for name in first.values()}
    problems = []
    for node in graph.nodes:
        old = [name for name in node.inputs if name in first and latest[first[name]] != name]
        rule, hint = "a state must not be read once it has changed", "an operator that reads it before"
        problems += [Problem(rule, node.name, name, hint) for name in old]
        latest.update((first[name], name) for name in node.outputs if name in first)
    if problems:
        raise UnsupportedModelError(problems)
