"""LSTM layers of Keras in every technique: TFLM's bytes, LiteRT's floats, and cell states that fit."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize import quantize_float, quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from tests.keras_models import quantize_input
from tests.oracles import litert_ref, tflm
from tests.tflite_builder import schema

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras is not installed (pip install 'mcu-quant[test]')")
L = keras.layers

SHAPE = (6, 3)
SAMPLES = np.random.default_rng(1).normal(size=(120, 1, *SHAPE)).astype(np.float32)
MODELS: dict[str, Callable[[Any], Any]] = {
    "last_step": lambda x: L.Dense(3)(L.LSTM(8)(x)),
    "both_ways": lambda x: L.Dense(3)(L.Bidirectional(L.LSTM(5))(x)),
    "stacked": lambda x: L.LSTM(4, return_sequences=True)(
        L.Bidirectional(L.LSTM(5, return_sequences=True), merge_mode="sum")(x)
    ),
    "states_shown": lambda x: L.LSTM(4, return_sequences=True, return_state=True)(x),
    "states_used": lambda x: L.Dense(2)(L.Concatenate()(L.LSTM(4, return_state=True)(x)[1:])),
    "stateful": lambda x: L.Dense(2)(L.LSTM(4, stateful=True)(x)),
    "stateful_states_shown": lambda x: L.LSTM(4, stateful=True, return_state=True)(x),
}


def float_graph(name: str, size: float = 0.5) -> Graph:
    """size: of random weights."""
    x = keras.Input(batch_shape=(1, *SHAPE))
    model = keras.Model(x, MODELS[name](x))
    rng = np.random.default_rng(2)
    for layer in model.layers:
        layer.set_weights([rng.normal(0, size, weight.shape) for weight in layer.get_weights()])
    return prepare(load_keras_model(model))


def real_outputs(graph: Graph, outputs: list[np.ndarray]) -> list[np.ndarray]:
    tensors = zip(outputs, graph.output_tensors(), strict=True)
    return [y if t.quant is None else (y.astype(np.float64) - t.zero_point) * t.scale for y, t in tensors]


@pytest.mark.parametrize("technique", ["int8", "int16x8"])
@pytest.mark.parametrize("name", MODELS)
def test_integers_are_tflms_and_near_the_meaning(name: str, technique: str) -> None:
    graph = float_graph(name)
    expected = run_graph(graph, [SAMPLES])
    quantized = quantize_integer(graph, [(SAMPLES,)], QuantizeOptions(technique))
    file = write_tflite(quantized)
    read = read_tflite(file, "model")
    inputs = [quantize_input(read.input_tensors()[0], SAMPLES)]
    outputs = run_graph(read, inputs)
    for mine, theirs in zip(outputs, tflm(file, inputs, sequence=bool(graph.states)), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, meant in zip(real_outputs(read, outputs), expected, strict=True):
        assert np.abs(mine - meant).max() <= 0.04 * np.abs(meant).max()
    if technique == "int8":  # LiteRT has other tables for its sigmoids; and no int16
        others = real_outputs(read, litert_ref(file, inputs, sequence=bool(graph.states)))
        for theirs, meant in zip(others, expected, strict=True):
            assert np.abs(theirs - meant).max() <= 0.05 * np.abs(meant).max()


@pytest.mark.parametrize("technique", ["float32", "float16", "dynamic"])
@pytest.mark.parametrize("name", MODELS)
def test_floats_are_near_litert(name: str, technique: str) -> None:
    graph = float_graph(name)
    options = {"dynamic_range": "weights"} if technique == "dynamic" else {}
    narrowed = quantize_float(graph, QuantizeOptions(technique, **options))
    file = write_tflite(narrowed)
    outputs = run_graph(read_tflite(file, "model"), [SAMPLES])
    for mine, theirs in zip(outputs, litert_ref(file, [SAMPLES], sequence=bool(graph.states)), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    for mine, meant in zip(outputs, run_graph(graph, [SAMPLES]), strict=True):
        assert np.abs(mine - meant).max() <= 0.03 * np.abs(meant).max()


def cell_scale(graph: Graph) -> float:
    (node,) = [node for node in graph.bound_nodes() if node.node.op == "unidirectional_sequence_lstm"]
    return node.outputs[2].scale


def test_a_cell_state_is_calibrated_at_every_step_not_the_last_alone() -> None:
    """A sequence that fills the state at first, and empties it at the end."""
    x = keras.Input(batch_shape=(1, 6, 1))
    model = keras.Model(x, L.LSTM(1)(x))
    # Gates input, forget, cell, output: open, open unless x is far below 0, as x is, open.
    kernel = np.array([[0.0, 10.0, 10.0, 0.0]])
    model.set_weights([kernel, np.zeros((1, 4)), np.array([10.0, 5.0, 0.0, 10.0])])
    graph = prepare(load_keras_model(model))
    samples = np.array([1, 1, 1, 1, -1, -0.01], np.float32).reshape(1, 1, 6, 1)
    (after,) = [state.astype(float).ravel() for state in run_graph(shown(graph), [samples])]
    assert abs(after[0]) < 1.2
    assert cell_scale(quantize_integer(graph, [(samples,)], QuantizeOptions())) == 2.0**-13, "of 4 in all"


def shown(graph: Graph) -> Graph:
    """With the cell state as the output."""
    (node,) = [node for node in graph.nodes if node.op == "unidirectional_sequence_lstm"]
    return graph.with_(outputs=(node.outputs[2],))


def test_scales_of_cell_states_stay_within_what_litert_takes() -> None:
    """Of weights of next to nothing, and of a state that nothing is ever forgotten of."""
    graph = float_graph("last_step", 1e-3)
    assert cell_scale(quantize_integer(graph, [(SAMPLES,)], QuantizeOptions())) == 2.0**-15
    x = keras.Input(batch_shape=(1, 200, 1))
    model = keras.Model(x, L.LSTM(1)(x))
    model.set_weights([np.zeros((1, 4)), np.zeros((1, 4)), np.array([20.0, 20.0, 20.0, 0.0])])
    long = np.ones((1, 1, 200, 1), np.float32)
    quantized = quantize_integer(prepare(load_keras_model(model)), [(long,)], QuantizeOptions())
    assert cell_scale(quantized) == 2.0**-9
    file = write_tflite(quantized)
    inputs = [quantize_input(quantized.input_tensors()[0], long)]
    np.testing.assert_array_equal(run_graph(quantized, inputs)[0], tflm(file, inputs)[0])


def test_mixed_with_float_layers() -> None:
    """A state that a float layer reads, and float outputs."""
    graph = float_graph("states_shown")
    options = QuantizeOptions(input_type="float32", output_type="float32")
    quantized = quantize_integer(graph, [(SAMPLES,)], options)
    outputs = run_graph(quantized, [SAMPLES])
    for mine, meant in zip(outputs, run_graph(graph, [SAMPLES]), strict=True):
        assert mine.dtype == np.float32
        assert np.abs(mine - meant).max() <= 0.04 * np.abs(meant).max()


def test_files_of_dynamic_range_are_read_with_their_weights_widened() -> None:
    """Files of others: int8 weights as they are beside float32 activations, not behind a DEQUANTIZE."""
    graph = float_graph("stacked")
    narrowed = quantize_float(graph, QuantizeOptions("dynamic", dynamic_range="weights"))
    model = schema.ModelT.InitFromPackedBuf(write_tflite(narrowed), 0)
    (main,) = model.subgraphs
    stored = {op.outputs[0]: op.inputs[0] for op in main.operators if len(op.inputs) == 1}
    main.operators = [op for op in main.operators if op.outputs[0] not in stored]
    for op in main.operators:
        op.inputs = [stored.get(index, index) for index in op.inputs]
    file = packed(model)
    (mine,) = run_graph(read_tflite(file, "model"), [SAMPLES])
    np.testing.assert_array_equal(mine, run_graph(narrowed, [SAMPLES])[0])
    (theirs,) = litert_ref(file, [SAMPLES])
    assert np.abs(mine - theirs).max() <= 0.03 * np.abs(theirs).max()


def packed(model: object) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")  # type: ignore[attr-defined]
    return bytes(builder.Output())
