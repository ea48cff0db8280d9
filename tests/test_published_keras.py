"""The trained Keras models, quantized by us: other people's interpreters give our bytes."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.saved_model import load_saved_model
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.pipeline import read_model, verify
from mcu_quant.quantize import quantize_integer
from tests.keras_models import (
    MODELS,
    SHARED,
    calibration_data,
    float_graph,
    golden,
    needs_models,
    quantize_input,
    quantized,
)
from tests.oracles import litert_ref, tflm

pytestmark = needs_models

H5_MODELS = ("ad01", "pretrainedResnet", "vww_96", "str_ww_ref_model")

#: BUILTIN_REF rounds once in int8 FULLY_CONNECTED (NUMERICS.md), so its bits differ behind one.
ALL_FULLY_CONNECTED = ("ad01",)

#: How near int8 outputs stay to the float ones on real data, root mean square over their range:
#: about twice what is measured, while a wrong fold or scale gives 0.1 and more.
FLOAT_ERROR = 0.03


def inputs(model: str, graph: Graph) -> list[np.ndarray]:
    """The inputs of the float golden file, random bytes, and the extremes."""
    tensor = graph.input_tensors()[0]
    dtype, limits = np.dtype(tensor.dtype), np.iinfo(tensor.dtype)
    shape = (4, *tensor.shape)
    random = np.random.default_rng(7).integers(limits.min, limits.max, shape, dtype, endpoint=True)
    extremes = np.stack([np.full(tensor.shape, value, dtype) for value in (limits.min, limits.max)])
    return [np.concatenate([quantize_input(tensor, golden(model)), random, extremes])]


def without_fully_connected_tail(graph: Graph) -> Graph:
    """The graph up to its first fully_connected node: where BUILTIN_REF's bits are the contract's."""
    first = next((i for i, node in enumerate(graph.nodes) if node.op == "fully_connected"), len(graph.nodes))
    nodes = graph.nodes[:first]
    return graph.with_(nodes=nodes, outputs=nodes[-1].outputs)


@pytest.mark.parametrize("model", MODELS)
def test_float_graph_after_the_passes_is_the_keras_model(model: str) -> None:
    with np.load(SHARED / "golden" / f"{model}.keras_float.npz") as stored:
        x, y = stored["x"], stored["y"]
    (got,) = run_graph(float_graph(model), [x[:, None]])
    assert np.abs(got.reshape(y.shape) - y).max() <= 1e-4 * (y.max() - y.min())


TECHNIQUES = {"int8": {}, "int8_per_tensor": {"per_tensor": True}, "int16x8": {"technique": "int16x8"}}


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("model", MODELS)
def test_tflm_gives_our_bytes(model: str, technique: str) -> None:
    graph = quantized(model, **TECHNIQUES[technique])
    data = inputs(model, graph)
    (expected,) = run_graph(graph, data)
    (actual,) = tflm(write_tflite(graph), data)
    assert np.array_equal(actual, expected)


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("technique", ["int8", "int16x8"])
@pytest.mark.parametrize("engine", ["host", "mps2_an386"])
@pytest.mark.parametrize("model", MODELS)
def test_c_gives_our_bytes(model: str, engine: str, technique: str) -> None:
    graph = quantized(model, technique=technique)
    ours = read_model(write_tflite(graph), model.lower())
    (compared,) = verify(ours, [engine], inputs(model, graph), GenerateOptions())
    assert compared.identical, compared


@pytest.mark.parametrize("model", [model for model in MODELS if model not in ALL_FULLY_CONNECTED])
def test_litert_ref_gives_our_bytes_before_fully_connected(model: str) -> None:
    graph = without_fully_connected_tail(quantized(model))
    data = inputs(model, graph)
    (expected,) = run_graph(graph, data)
    (actual,) = litert_ref(write_tflite(graph), data)
    assert np.array_equal(actual, expected)


@pytest.mark.parametrize("model", MODELS)
def test_litert_ref_is_within_a_step(model: str) -> None:
    """The whole model; its fully connected layers round once, ours twice: 1 at the output of the layer."""
    graph = quantized(model)
    data = inputs(model, graph)
    (expected,) = run_graph(graph, data)
    (actual,) = litert_ref(write_tflite(graph), data)
    difference = np.abs(actual.astype(int) - expected.astype(int))
    assert difference.max() <= (8 if model in ALL_FULLY_CONNECTED else 3)


@pytest.mark.parametrize("model", MODELS)
def test_litert_ref_runs_our_int16x8_files(model: str) -> None:
    """Its fully connected layers and softmax err by a step of 1/32768 or so (NUMERICS.md)."""
    graph = quantized(model, technique="int16x8")
    data = inputs(model, graph)
    (expected,) = run_graph(graph, data)
    (actual,) = litert_ref(write_tflite(graph), data)
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 12


@pytest.mark.parametrize("model", H5_MODELS)
def test_h5_gives_the_same_file(model: str) -> None:
    graph = prepare(load_keras_file(SHARED / "models" / f"{model}.h5"))
    quantized_h5 = quantize_integer(graph, [calibration_data(model)])
    assert write_tflite(quantized_h5) == write_tflite(quantized(model))


@pytest.mark.slow
def test_saved_model_gives_our_bytes() -> None:
    pytest.importorskip("tensorflow", reason="SavedModels are read with TensorFlow")
    graph = prepare(load_saved_model(SHARED / "models" / "kws_ref_model_savedmodel"))
    x, tensor = golden("kws_ref_model"), quantized("kws_ref_model").input_tensors()[0]
    integer = quantize_integer(graph, [x])
    data = [quantize_input(tensor, x)]
    (expected,) = run_graph(integer, data)
    assert np.array_equal(tflm(write_tflite(integer), data)[0], expected)
    (from_keras,) = run_graph(quantized("kws_ref_model"), data)
    assert np.abs(expected.astype(int) - from_keras.astype(int)).max() <= 2, (
        "the same model, folded elsewhere"
    )


@pytest.mark.parametrize("model", MODELS)
def test_int8_is_near_float(model: str) -> None:
    graph, x = quantized(model), golden(model, "real")
    (y,) = run_graph(float_graph(model), [x[:, None]])
    output = graph.output_tensors()[0]
    (q,) = run_graph(graph, [quantize_input(graph.input_tensors()[0], x)])
    error = (q.astype(np.float64) - output.zero_point) * output.scale - y
    assert np.sqrt((error**2).mean()) <= FLOAT_ERROR * (y.max() - y.min())
