"""Places of states: the copies that are needed are there, no others, and the bits stay."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.ir import Graph, Node, QuantParams, State, Tensor, check
from mcu_quant.kernels import choose_kernels
from mcu_quant.kernels.base import CORES, storage_of
from mcu_quant.memory import plan_memory
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.slide import SlideAttrs
from mcu_quant.optimize.states import place_states

QUANT = QuantParams.per_tensor(0.5, 3)


def graph_of(pairs: dict[str, str], outputs: tuple[str, ...]) -> Graph:
    """Inputs x; states a, b: before → after; r = relu(x); initial values differ."""
    tensors = {name: Tensor(name, (1, 6), "int8", QUANT) for name in ("x", "a", "b", "r")}
    states = tuple(
        State(before, after, np.full((1, 6), 7 + i, np.int8))
        for i, (before, after) in enumerate(pairs.items())
    )
    node = Node("r", "relu", None, ("x",), ("r",))
    return check(Graph("states", (node,), tensors, ("x",), outputs, states=states))


CASES = {
    "never changed": ({"a": "a"}, ("r", "a")),
    "an input becomes the state": ({"a": "x"}, ("a",)),
    "delayed twice": ({"a": "r", "b": "a"}, ("b",)),
    "delayed twice, the other order": ({"b": "a", "a": "r"}, ("b", "r")),
    "exchanged": ({"a": "b", "b": "a"}, ("a", "b", "r")),
    "both the same": ({"a": "r", "b": "r"}, ("a", "b")),
}


@pytest.mark.parametrize("case", CASES)
def test_the_bits_stay(case: str) -> None:
    graph = graph_of(*CASES[case])
    placed = place_states(graph)
    x = np.random.default_rng(0).integers(-128, 128, (5, 1, 6)).astype(np.int8)
    for before, after in zip(run_graph(graph, [x]), run_graph(placed, [x]), strict=True):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("case", CASES)
def test_each_state_is_where_it_was(case: str) -> None:
    placed = place_states(graph_of(*CASES[case]))
    kernels = choose_kernels(placed, CORES["generic"], "balanced")
    storage, plan = storage_of(placed, kernels), plan_memory(placed, kernels)
    for state in placed.states:
        assert storage[state.after] == state.before
        assert plan.addresses[state.after] == plan.addresses[state.before]
    assert plan.state_bytes == 8 * len(placed.states)
    assert not plan.states.intersection(placed.outputs)


def test_an_output_that_is_the_bytes_of_a_state_is_copied() -> None:
    """Found by the hunter: a reshape of what an operator made of its own state."""
    tensors = {name: Tensor(name, (1, 6), "int8", QUANT) for name in ("kept", "slid")}
    tensors |= {"x": Tensor("x", (1, 2), "int8", QUANT), "y": Tensor("y", (6, 1), "int8", QUANT)}
    nodes = (
        Node("slide", "slide", SlideAttrs(1), ("kept", "x"), ("slid",)),
        Node("y", "reshape", ReshapeAttrs((6, 1)), ("slid",), ("y",)),
    )
    states = (State("kept", "slid", np.zeros((1, 6), np.int8)),)
    placed = place_states(check(Graph("states", nodes, tensors, ("x",), ("y",), states=states)))
    kernels = choose_kernels(placed, CORES["generic"], "balanced")
    assert not plan_memory(placed, kernels).states.intersection(placed.outputs)
