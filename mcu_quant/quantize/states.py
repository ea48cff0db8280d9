"""How the states of operators are stored: what they keep from step to step, and from run to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from mcu_quant.fixed_point import INT16_MAX
from mcu_quant.ir import BoundNode, Graph, Node, QuantParams, State, Tensor, check, unique_name
from mcu_quant.ops import OPERATORS
from mcu_quant.quantize.activation_types import INT16, ActivationType
from mcu_quant.quantize.kinds import Kinds
from mcu_quant.quantize.ranges import Ranges

#: log2 of a cell state's scale, from the finest on: those that LiteRT takes, too.
CELL_EXPONENTS = range(-15, -8)
#: dtype and scheme.
Storage = tuple[str, QuantParams]


def storage_of_states(graph: Graph, schemes: dict[str, QuantParams], kinds: Kinds) -> dict[str, Storage]:
    """For every state of an integer node, by the names that it has before and after the run."""
    found: dict[str, Storage] = {}
    for node in graph.bound_nodes():
        kind, operator = kinds.of_node(node.name), OPERATORS[node.node.op]
        if kind is None or not operator.state_inputs:
            continue
        rule = operator.quant_rule
        for position, output in operator.state_inputs.items():
            after = node.outputs[output].name
            is_own = rule.state is not None or position == rule.cell
            storage = ("int16", schemes[after]) if is_own else (kind.dtype, schemes[node.output.name])
            names = _name_before(node, position), after
            found |= {name: storage for name in names if name is not None}
    return found


def schemes_of_states(graph: Graph, ranges: Ranges, kinds: Kinds) -> dict[str, QuantParams]:
    """Of states of integer nodes that have not the output's scheme, by the name after the run."""
    found: dict[str, QuantParams] = {}
    for node in graph.bound_nodes():
        rule = OPERATORS[node.node.op].quant_rule
        if kinds.of_node(node.name) is None:
            continue
        for position, output in OPERATORS[node.node.op].state_inputs.items():
            after = node.outputs[output].name
            if rule.state is not None:
                found[after] = rule.state
            elif position == rule.cell:
                found[after] = _power_of_two_scheme(*ranges[after])
    return found


def _power_of_two_scheme(range_min: float, range_max: float) -> QuantParams:
    """int16: the smallest power of two that holds the range; beyond the largest one it saturates."""
    largest = max(abs(range_min), abs(range_max))
    fitting = (n for n in CELL_EXPONENTS if largest <= INT16_MAX * 2.0**n)
    return QuantParams.per_tensor(2.0 ** next(fitting, CELL_EXPONENTS[-1]))


def with_converted_states(graph: Graph, ranges: Ranges, kinds: Kinds) -> tuple[Graph, Ranges, Kinds]:
    """With a quantize node behind each state of an integer node that others read, or that is an output.

    What they read keeps its name; the state itself is called NAME/state then.
    """
    readers = graph.consumers()
    for name, kind in list(_states_after(graph, kinds)):
        if readers[name] or name in graph.outputs:
            graph, own, converter = _converted(graph, name)
            ranges = {**ranges, own: ranges[name]}
            kinds = kinds.with_one(converter, name, kind)
            kinds = replace(kinds, tensors={**kinds.tensors, own: INT16})
    return check(graph), ranges, kinds


def _states_after(graph: Graph, kinds: Kinds) -> Iterator[tuple[str, ActivationType]]:
    for node in graph.nodes:
        for output in OPERATORS[node.op].state_inputs.values():
            if (kind := kinds.of_node(node.name)) is not None:
                yield node.outputs[output], kind


def _converted(graph: Graph, name: str) -> tuple[Graph, str, str]:
    """(the graph, the name of the state itself, that of the node behind it)."""
    own = unique_name(f"{name}/state", graph.tensors)
    converter = unique_name(f"{name}/quantize", {node.name for node in graph.nodes})
    nodes: list[Node] = []
    for node in graph.nodes:
        renamed = tuple(own if output == name else output for output in node.outputs)
        nodes.append(replace(node, outputs=renamed))
        if renamed != node.outputs:
            nodes.append(Node(converter, "quantize", None, (own,), (name,)))
    states = tuple(replace(s, after=own) if s.after == name else s for s in graph.states)
    tensors = {**graph.tensors, own: replace(graph.tensors[name], name=own)}
    return graph.with_(nodes=tuple(nodes), tensors=tensors, states=states), own, converter


def stored_states(graph: Graph, tensors: dict[str, Tensor]) -> tuple[State, ...]:
    """The graph's states, at reset as the tensors before the run store them."""
    return tuple(
        replace(state, initial=_stored(state.initial, tensors[state.before])) for state in graph.states
    )


def _stored(initial: np.ndarray, tensor: Tensor) -> np.ndarray:
    if tensor.quant is None:
        return initial
    limits = np.iinfo(tensor.dtype)
    steps = np.round(initial.astype(np.float64) / tensor.scale) + tensor.zero_point
    return np.clip(steps, limits.min, limits.max).astype(tensor.dtype)


def _name_before(node: BoundNode, position: int) -> str | None:
    tensor = node.optional_input(position)
    return None if tensor is None else tensor.name
