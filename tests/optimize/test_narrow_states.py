"""States of float32 in integer models: integers where every value is one, float32 where not."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.optimize import optimize
from mcu_quant.optimize.narrow_states import narrow_states
from tests.importers.streams import float_ring, last_input

X = np.random.default_rng(0).integers(-128, 128, (60, 1, 1, 3)).astype(np.int8)


def assert_same_bytes(one: Graph, other: Graph) -> None:
    for a, b in zip(run_graph(one, [X]), run_graph(other, [X]), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("first", [0.0, 2.75, 1000.0])
@pytest.mark.parametrize("scale", [0.5, 0.3, 0.0123])
def test_a_ring_buffer_is_int8(scale: float, first: float) -> None:
    """Of the scale of x nothing is converted at all; of another one, new rows are."""
    graph = read_tflite(float_ring(scale, first), "ring")
    narrow = narrow_states(graph)
    (state,) = narrow.states
    assert state.initial.dtype == np.int8
    ops = ["concatenation", "strided_slice"]
    assert [node.op for node in narrow.nodes] == ops if scale == 0.5 else [*("dequantize", "quantize"), *ops]
    assert_same_bytes(graph, narrow)
    optimized = optimize(graph, GenerateOptions())
    assert [node.op for node in optimized.nodes][-2:] == ["slide", "copy"]  # the window is the output
    assert_same_bytes(graph, optimized)


def test_a_float_model_stays_one() -> None:
    graph = read_tflite(last_input("float32", 1), "last")
    assert narrow_states(graph) is graph


def test_a_state_that_is_an_output_stays() -> None:
    graph = read_tflite(float_ring(), "ring")
    (state,) = graph.states
    shown = graph.with_(outputs=(*graph.outputs, state.before))
    assert narrow_states(shown).states[0].initial.dtype == np.float32
    assert_same_bytes(shown, narrow_states(shown))
