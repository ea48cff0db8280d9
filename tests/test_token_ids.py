"""Models that are fed token ids: an int32 input from the Keras file to the C code, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcu_quant import inspection
from mcu_quant.choices import TECHNIQUES
from mcu_quant.codegen.library import render_library
from mcu_quant.deployment import GenerateOptions
from mcu_quant.errors import InvalidInputError, UnsupportedModelError
from mcu_quant.importers.index_inputs import with_index_inputs
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.keras_layers import ImportBuilder
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.importers.wrapped_indices import without_wraps
from mcu_quant.ir import Graph
from mcu_quant.kernels.base import CORES
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.cast import CastAttrs
from mcu_quant.ops.gather import GatherAttrs
from mcu_quant.ops.index_limits import index_limits
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.pipeline import TfliteModel, quantize, verify
from mcu_quant.pipeline.deploying import deploy
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.recipe import recipe_of
from mcu_quant.samples import calibration_samples, default_inputs, read_inputs
from tests.importers.keras_writer import functional, input_layer, layer, write_legacy
from tests.oracles import litert_ref, tflm

RNG = np.random.default_rng(3)
WORDS, PLACES, WIDTH = 20, 6, 5
TABLE = RNG.normal(size=(WORDS, WIDTH)).astype(np.float32)
KERNEL, BIAS = RNG.normal(size=(WIDTH, 3)).astype(np.float32), RNG.normal(size=3).astype(np.float32)
IDS = RNG.integers(0, WORDS, (40, PLACES))
DENSE = {"activation": "linear", "use_bias": True, "units": 3}


def embedding(source: str = "ids", **config: Any) -> dict[str, Any]:
    return layer(
        "Embedding", "words", source, **{"input_dim": WORDS, "output_dim": WIDTH, "mask_zero": False} | config
    )


def load(folder: Path, *layers: dict[str, Any], output: str = "scores") -> Graph:
    """A file of Keras 2, whose input says float32 as that of an Embedding does there."""
    document = functional([input_layer("ids", PLACES), *layers], "ids", output)
    weights = {"words": [TABLE], "scores": [KERNEL, BIAS]}
    return load_keras_file(write_legacy(folder / "m.h5", document, weights))


@pytest.fixture
def graph(tmp_path: Path) -> Graph:
    return load(tmp_path, embedding(), layer("Dense", "scores", "words", **DENSE))


def quantized(graph: Graph, technique: str = "int8") -> TfliteModel:
    return quantize(graph, calibration_samples(IDS, graph), QuantizeOptions(technique))


def test_the_input_becomes_int32(graph: Graph) -> None:
    assert [tensor.dtype for tensor in graph.input_tensors()] == ["int32"]
    assert index_limits(graph) == {"ids": (0, WORDS - 1)}
    (y,) = run_graph(graph, [IDS[:, None].astype(np.int32)])
    np.testing.assert_allclose(y[:, 0], TABLE[IDS] @ KERNEL + BIAS, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_every_technique_reads_ids(graph: Graph, technique: str) -> None:
    model = quantized(graph, technique)
    assert model.graph.input_tensors()[0].dtype == "int32"
    inputs = default_inputs(model.graph)
    assert inputs[0].min() == 0 and inputs[0].max() == WORDS - 1
    (comparison,) = verify(model, ["host"], inputs, GenerateOptions())
    assert comparison.passed
    if technique == "int8":
        np.testing.assert_array_equal(tflm(model.data, inputs)[0], run_graph(model.graph, inputs)[0])


def test_dynamic_stores_the_table_in_int8(graph: Graph) -> None:
    model = quantized(graph, "dynamic")
    ops = [node.op for node in model.graph.nodes]
    assert ops[:2] == ["gather", "dequantize"]
    table = next(model.graph.bound_nodes()).input(0)
    assert table.dtype == "int8" and table.shape == TABLE.shape
    inputs = default_inputs(model.graph)
    (y,), (exact,) = run_graph(model.graph, inputs), run_graph(graph, inputs)
    assert np.abs(y - exact).max() < 0.02 * np.abs(exact).max()
    np.testing.assert_allclose(
        litert_ref(model.data, inputs)[0], y, rtol=1e-5, atol=0.02 * np.abs(exact).max()
    )


def test_layers_of_different_techniques(graph: Graph) -> None:
    """The ids are what they are, whatever the layer that reads them computes in."""
    for recipe in ({"words": "float32"}, {"words": "int16x8"}, {"scores": "float32"}):
        options = QuantizeOptions("int8", recipe=recipe_of(recipe))
        model = quantize(graph, calibration_samples(IDS, graph), options)
        assert model.graph.input_tensors()[0].dtype == "int32"
        (comparison,) = verify(model, ["host"], default_inputs(model.graph), GenerateOptions())
        assert comparison.passed


def test_ids_that_are_moved_first(tmp_path: Path) -> None:
    """A reshape of ids is one of int32, and ids of numbers that are whole are ids."""
    shape = layer("Reshape", "pairs", "ids", target_shape=[PLACES // 2, 2])
    graph = load(tmp_path, shape, embedding("pairs"), layer("Dense", "scores", "words", **DENSE))
    assert {graph.tensors[name].dtype for name in ("ids", "pairs")} == {"int32"}
    model = quantize(graph, calibration_samples(IDS.astype(np.float32), graph), QuantizeOptions())
    (comparison,) = verify(model, ["host"], default_inputs(model.graph), GenerateOptions())
    assert comparison.passed


def test_what_is_generated_says_what_indices_may_be(graph: Graph) -> None:
    model = quantized(graph)
    deployment = deploy(model, CORES["cortex-m4"], GenerateOptions())
    header = render_library(deployment)[f"{model.name}.h"]
    assert f"indices from 0 to {WORDS - 1}" in header and f"_INPUT_0_LARGEST_INDEX {WORDS - 1}" in header
    assert "const int32_t *input_0" in header
    facts = inspection.inspect_deployment(deployment)
    assert facts["inputs"][0]["indices"] == [0, WORDS - 1]
    assert facts["layers"][0]["const_bytes"] == TABLE.size, "the table is in flash, and is counted"


def test_sizes_are_known_without_data(graph: Graph) -> None:
    assert quantize(graph, inspection.synthetic_samples(graph), QuantizeOptions()).graph.nodes


@pytest.mark.parametrize("wrong", [WORDS, -1, 2**40])
def test_ids_outside_the_vocabulary_are_refused(graph: Graph, wrong: int, tmp_path: Path) -> None:
    ids = IDS.copy()
    ids[7, 2] = wrong
    with pytest.raises(InvalidInputError, match=r"indices|whole numbers"):
        quantize(graph, calibration_samples(ids, graph), QuantizeOptions())
    np.savez(tmp_path / "x.npz", ids=ids)
    with pytest.raises(InvalidInputError, match=r"indices|whole numbers"):
        read_inputs(tmp_path / "x.npz", quantized(graph).graph)


@pytest.mark.parametrize("wrong", [0.5, np.nan, 1e30])
def test_fractions_are_no_ids(graph: Graph, wrong: float, tmp_path: Path) -> None:
    ids = IDS.astype(np.float32)
    ids[7, 2] = wrong
    with pytest.raises(InvalidInputError, match="whole numbers"):
        quantize(graph, calibration_samples(ids, graph), QuantizeOptions())
    np.savez(tmp_path / "x.npz", x=ids)
    with pytest.raises(InvalidInputError, match="whole numbers"):
        read_inputs(tmp_path / "x.npz", quantized(graph).graph)


def refused(folder: Path, *layers: dict[str, Any], output: str) -> str:
    with pytest.raises(UnsupportedModelError) as caught:
        load(folder, *layers, output=output)
    return str(caught.value)


def test_refusals(tmp_path: Path) -> None:
    assert "mask_zero=False" in refused(tmp_path, embedding(mask_zero=True), output="words")
    shared = layer("Add", "sum", [[["words", 0, 0, {}], ["ids", 0, 0, {}]]])
    square = layer("Reshape", "column", "ids", target_shape=[PLACES, 1])
    shared["inbound_nodes"][0][1][0] = "column"
    text = refused(tmp_path, embedding(), square, shared, output="sum")
    assert "must not be used as a number, too" in text and "ids" in text
    computed = layer("ReLU", "positive", "ids")
    text = refused(tmp_path, computed, embedding("positive"), output="words")
    assert "indices must come from an input" in text and "positive" in text


def cast_graph(*, as_numbers: bool) -> Graph:
    """Ids that are cast before a table is read by them; and added, as numbers, to what is read."""
    builder = ImportBuilder("net", OPERATORS)
    ids = builder.input("ids", (1, PLACES))
    whole = builder.add("cast", "whole", CastAttrs("int32"), [ids])
    table = builder.constant("table", TABLE[:, :1])
    y = builder.add("gather", "words", GatherAttrs(0), [table, whole])
    if as_numbers:
        y = builder.add(
            "add",
            "sum",
            ArithmeticAttrs(),
            [y, builder.layer("Reshape", "r", [ids], {"target_shape": [PLACES, 1]})],
        )
    return with_index_inputs(builder.graph([y]))


def test_casts_of_ids_are_left_out() -> None:
    graph = cast_graph(as_numbers=False)
    assert [node.op for node in graph.nodes] == ["gather"] and graph.tensors["ids"].dtype == "int32"


def test_casts_of_numbers_stay() -> None:
    """The ids of such a model are float32, and the default ones are whole and inside the table."""
    graph = cast_graph(as_numbers=True)
    assert graph.nodes[0].op == "cast" and graph.tensors["ids"].dtype == "float32"
    model = quantize(graph, [], QuantizeOptions("float32"))
    (inputs,) = default_inputs(model.graph)
    assert inputs.dtype == np.float32 and set(inputs.ravel()) <= set(range(WORDS))
    (comparison,) = verify(model, ["host"], [inputs], GenerateOptions())
    assert comparison.passed


def wrapped_graph(size: int, below: float) -> Graph:
    """As a SavedModel of Keras has an Embedding: ids below 0 count from the end."""
    builder = ImportBuilder("net", OPERATORS)
    ids = builder.input("ids", (1, PLACES))
    zero = builder.constant("zero", np.full(1, below, np.float32))
    condition = builder.add("less", "less", None, [ids, zero])
    moved = builder.layer("Rescaling", "add", [ids], {"scale": 1.0, "offset": float(size)})
    chosen = builder.add("select_v2", "where", None, [condition, moved, ids])
    whole = builder.add("cast", "whole", CastAttrs("int32"), [chosen])
    y = builder.add("gather", "words", GatherAttrs(0), [builder.constant("table", TABLE), whole])
    return without_wraps(builder.graph([y]))


def test_ids_that_a_saved_model_wraps_are_read_as_they_are() -> None:
    graph = wrapped_graph(WORDS, 0.0)
    assert [node.op for node in graph.nodes] == ["gather"]
    assert with_index_inputs(graph).tensors["ids"].dtype == "int32"


@pytest.mark.parametrize(("size", "below"), [(WORDS + 1, 0.0), (WORDS, 1.0), (WORDS, -1.0)])
def test_what_is_computed_otherwise_stays(size: int, below: float) -> None:
    assert len(wrapped_graph(size, below).nodes) == 5


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32"])
def test_equals_keras(dtype: str) -> None:
    keras = pytest.importorskip("keras")
    x = keras.Input((PLACES,), dtype=dtype)
    y = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(WORDS, WIDTH)(x))
    model = keras.Model(x, keras.layers.Dense(3)(y))
    graph = load_keras_model(model)
    assert graph.input_tensors()[0].dtype == "int32"
    (actual,) = run_graph(graph, [IDS[:, None].astype(np.int32)])
    expected = np.asarray(model(IDS.astype(dtype)))
    np.testing.assert_allclose(actual[:, 0], expected, rtol=1e-5, atol=1e-6)
