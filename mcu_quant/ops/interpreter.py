"""Run a whole graph in numpy: the reference."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from functools import partial

import numpy as np

from mcu_quant.ir import BoundNode, Graph, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.storage import real_values

Observer = Callable[[str, np.ndarray], None]
#: What each state of a graph holds, [*shape], by the name of its tensor `before`.
States = MutableMapping[str, np.ndarray]


def initial_states(graph: Graph) -> dict[str, np.ndarray]:
    """What the states hold before the first run."""
    return {state.before: state.initial for state in graph.states}


def run_graph(
    graph: Graph,
    inputs: Sequence[np.ndarray],
    observe: Observer | None = None,
    states: States | None = None,
    *,
    within_runs: bool = False,
) -> list[np.ndarray]:
    """The outputs of any graph: integer nodes give the bits, float nodes what they mean.

    inputs: [N, *shape] of the inputs' dtypes; outputs likewise. Samples are independent, but in a graph with
    states, where they are runs one after the other.
    observe(tensor name, [N, *shape]) is called for every activation, inputs and states included; with states
    N is 1. states: what they hold before the first run, changed to what they hold after the last; the initial
    ones where it is None. within_runs: observe what outputs were during the run (Operator.within_run).
    """
    run = partial(_run, graph, observe=observe, within_runs=within_runs)
    if not graph.states:
        return run(graph.inputs, inputs, graph.outputs)
    held = initial_states(graph) if states is None else states
    steps = []
    for index in range(len(inputs[0])):
        given = [*(x[index : index + 1] for x in inputs), *(held[s.before][None] for s in graph.states)]
        values = run(graph.sources, given, graph.kept)
        steps.append(values[: len(graph.outputs)])
        held.update((s.before, v[0]) for s, v in zip(graph.states, values[len(steps[-1]) :], strict=True))
    return [np.concatenate(outputs) for outputs in zip(*steps, strict=True)]


def _run(
    graph: Graph,
    sources: Sequence[str],
    inputs: Sequence[np.ndarray],
    wanted: Sequence[str],
    *,
    observe: Observer | None,
    within_runs: bool,
) -> list[np.ndarray]:
    """The wanted tensors, from those that are given."""
    values: dict[str, np.ndarray] = {}
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs if name is not None}

    def put(name: str, value: np.ndarray, seen: np.ndarray | None = None) -> None:
        values[name] = value
        if observe is not None:
            observe(name, value if seen is None else seen)

    for name, value in zip(sources, inputs, strict=True):
        tensor = graph.tensors[name]
        assert value.shape[1:] == tensor.shape, f"{name}: {value.shape} is not [N, *{tensor.shape}]"
        put(name, value)
    for index, node in enumerate(graph.nodes):
        bound = graph.bind(node)
        operands = [
            None if tensor is None else tensor.data if tensor.is_constant else values[tensor.name]
            for tensor in bound.inputs
        ]
        results = run_node(bound, operands)
        within = results
        if within_runs:
            within = OPERATORS[node.op].within_run(bound, operands, results)
        for name, value, seen in zip(node.outputs, results, within, strict=True):
            put(name, value, seen)
        for read in node.inputs:
            if read in values and last_use[read] == index and read not in wanted:
                del values[read]
    return [_output(graph.tensors[name], values, len(inputs[0])) for name in wanted]


def run_node(node: BoundNode, operands: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
    """The outputs of one node, in the form that its tensors give it."""
    operator, form = OPERATORS[node.node.op], form_of(node)
    if form == "float":
        return operator.run_float(node, [_real(*pair) for pair in zip(node.inputs, operands, strict=True)])
    return operator.run_hybrid(node, operands) if form == "hybrid" else operator.run_integer(node, operands)


def _real(tensor: Tensor | None, value: np.ndarray | None) -> np.ndarray | None:
    """A float node's operand: what constants are stored as is widened."""
    return value if tensor is None or value is None or not tensor.is_constant else real_values(tensor, value)


def _output(tensor: Tensor, values: dict[str, np.ndarray], samples: int) -> np.ndarray:
    """A constant may be an output: the same for every sample."""
    if tensor.data is None:
        return values[tensor.name]
    return np.broadcast_to(tensor.data, (samples, *tensor.shape))
