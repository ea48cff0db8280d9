"""States of a graph as a .tflite file has them: operators' own in variable tensors."""

from __future__ import annotations

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import Graph, Node
from mcu_quant.ops import OPERATORS


def variable_tensors(graph: Graph) -> dict[str, str]:
    """For each value of an operator's own state, the tensor that holds it in the file.

    It is named after the value before the run, or, where each run begins anew, after the one behind the node.
    Raises UnsupportedModelError where a value is read after the next one is there: a file has one tensor.
    """
    first = {state.before: state.before for state in graph.states if _is_own(graph, state.before)}
    for node in graph.nodes:
        for position, output in OPERATORS[node.op].state_inputs.items():
            name = node.inputs[position] if position < len(node.inputs) else None
            after = node.outputs[output]
            if name in first:
                first[after] = first[name]
        first |= {after: after for after in _anew(node).values()}
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
    latest = {name: name for name in first.values()}  # one that begins anew is read behind its node alone
    problems = []
    for node in graph.nodes:
        old = [name for name in node.inputs if name in first and latest[first[name]] != name]
        rule, hint = "a state must not be read once it has changed", "an operator that reads it before"
        problems += [Problem(rule, node.name, name, hint) for name in old]
        latest.update((first[name], name) for name in node.outputs if name in first)
    if problems:
        raise UnsupportedModelError(problems)


def begins_anew(graph: Graph) -> list[str]:
    """The variable tensors of nodes without a state before the run: a runtime must reset them each time."""
    return [after for node in graph.nodes for after in _anew(node).values()]


def with_own_states(node: Node) -> tuple[str | None, ...]:
    """The node's inputs as the file has them: where a state is absent, the tensor that it is in behind it."""
    anew = _anew(node)
    count = max([len(node.inputs), *(position + 1 for position in anew)])
    inputs = (*node.inputs, *(None,) * (count - len(node.inputs)))
    return tuple(anew.get(i, name) if name is None else name for i, name in enumerate(inputs))


def _anew(node: Node) -> dict[int, str]:
    """The state behind the node by the position of the one before it, where that is absent.

    An operator of our own says so itself: its state is absent in the file, too.
    """
    operator = OPERATORS[node.op]
    if operator.tflite_custom:
        return {}
    return {
        position: node.outputs[output]
        for position, output in operator.state_inputs.items()
        if position >= len(node.inputs) or node.inputs[position] is None
    }
