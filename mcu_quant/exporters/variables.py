"""States that are no operator's own, as a .tflite file has them: variables.

Every run reads them first and assigns them last; a CALL_ONCE's subgraph assigns their first values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mcu_quant.errors import Problem, UnsupportedModelError
from mcu_quant.ir import Graph, State, Tensor, unique_name


@dataclass(frozen=True)
class PlainOperator:
    """An operator that no node of the graph is. text: options that are strings; numbers: others."""

    builtin: str
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    text: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)

    @property
    def options_type(self) -> str:
        return "".join(word.capitalize() for word in self.builtin.split("_")) + "Options"


@dataclass(frozen=True)
class Variables:
    """handles: the tensors that stand for them. first, last: what runs before and after the graph's nodes.

    values: their first values. initial: what assigns these, in a subgraph of handles and values alone.
    """

    handles: tuple[Tensor, ...]
    first: tuple[PlainOperator, ...]
    last: tuple[PlainOperator, ...]
    values: tuple[Tensor, ...]
    initial: tuple[PlainOperator, ...]


#: The subgraph that assigns the first values, by index.
INITIAL_SUBGRAPH = 1


def variables_of(graph: Graph, own: Mapping[str, str]) -> Variables | None:
    """For the states that variable tensors do not hold (own: of exporters/states.py); None if there are none.

    Raises UnsupportedModelError for operators' own states that no variable tensor can be.
    """
    _require_own(graph, own)
    states = [state for state in graph.states if own.get(state.after) != state.before]
    if not states:
        return None
    handles = _handles(graph, states)
    named = [
        PlainOperator("VAR_HANDLE", (), (handle.name,), {"SharedName": state.before, "Container": ""})
        for state, handle in zip(states, handles, strict=True)
    ]
    reads = [
        PlainOperator("READ_VARIABLE", (handle.name,), (state.before,))
        for state, handle in zip(states, handles, strict=True)
    ]
    assigns = [
        PlainOperator("ASSIGN_VARIABLE", (handle.name, state.after))
        for state, handle in zip(states, handles, strict=True)
    ]
    values = [
        Tensor.constant(f"{state.before}/initial", state.initial, graph.tensors[state.before].quant)
        for state in states
    ]
    initial = [
        PlainOperator("ASSIGN_VARIABLE", (handle.name, value.name))
        for handle, value in zip(handles, values, strict=True)
    ]
    once = PlainOperator("CALL_ONCE", numbers={"InitSubgraphIndex": INITIAL_SUBGRAPH})
    return Variables(handles, (once, *named, *reads), tuple(assigns), tuple(values), (*named, *initial))


def _handles(graph: Graph, states: Sequence[State]) -> tuple[Tensor, ...]:
    names: list[str] = []
    for state in states:
        names.append(unique_name(f"{state.before}/handle", graph.tensors, names))
    return tuple(Tensor(name, (), "resource") for name in names)


def _require_own(graph: Graph, own: Mapping[str, str]) -> None:
    """A variable tensor begins as real 0, and holds what its operator leaves there."""
    problems = []
    for state in graph.states:
        before = graph.tensors[state.before]
        if state.before not in own:
            continue
        zero = 0 if before.quant is None else before.zero_point
        if own.get(state.after) != state.before:
            rule = "an operator's own state must be what the operator left, in a .tflite file"
            problems.append(Problem(rule, before.name, state.after, "a layer that nothing else changes"))
        elif (state.initial != zero).any():
            rule, hint = "an operator's own state must begin as 0 in a .tflite file", "zeros as initial state"
            problems.append(Problem(rule, before.name, "another initial value", hint))
    if problems:
        raise UnsupportedModelError(problems)
