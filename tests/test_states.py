"""States in graphs: what is kept from run to run, in the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.ir import Graph, Node, State, Tensor, check
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.interpreter import initial_states, run_graph


def counter() -> Graph:
    """total += x; the output is the total."""
    tensors = {name: Tensor(name, (1, 2)) for name in ("x", "before", "total")}
    add = Node("add", "add", ArithmeticAttrs(), ("x", "before"), ("total",))
    state = State("before", "total", np.array([[10, 20]], np.float32))
    return check(Graph("counter", (add,), tensors, ("x",), ("total",), states=(state,)))


def test_samples_are_consecutive_runs() -> None:
    x = np.arange(12, dtype=np.float32).reshape(6, 1, 2)
    (total,) = run_graph(counter(), [x])
    np.testing.assert_array_equal(total, np.float32([[10, 20]]) + np.cumsum(x, axis=0))


def test_states_can_be_carried_on() -> None:
    x = np.arange(12, dtype=np.float32).reshape(6, 1, 2)
    graph = counter()
    (whole,) = run_graph(graph, [x])
    states = initial_states(graph)
    parts = [run_graph(graph, [x[i : i + 2]], states=states)[0] for i in (0, 2, 4)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(states["before"], whole[-1])


def test_a_state_must_keep_its_type() -> None:
    graph = counter()
    wrong = State("before", "total", np.zeros((1, 2), np.int8))
    with pytest.raises(AssertionError):
        check(replace(graph, states=(wrong,)))
