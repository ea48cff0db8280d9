"""A transformer encoder of two layers and four heads (tests/models/encoder.py), from Keras to boards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.ir import Graph
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.optimize import optimize
from mcu_quant.passes import prepare
from mcu_quant.pipeline import TfliteModel, quantize, verify
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.samples import dequantize
from tests.keras_models import array, needs_models, quantize_input
from tests.models.encoder import features

#: Training takes a quarter of a minute, but not on a busy machine.
pytestmark = [needs_models, pytest.mark.slow, pytest.mark.timeout(900)]
FILE = "fsdd_features.npz"


@pytest.fixture(scope="module")
def graph(encoder_model: Path) -> Graph:
    return prepare(load_keras_file(encoder_model))


@pytest.fixture(scope="module")
def models(graph: Graph) -> dict[str, TfliteModel]:
    samples = [features(array(FILE, "logmel_train")[::13])]
    return {t: quantize(graph, samples, QuantizeOptions(technique=t)) for t in ("int8", "int16x8")}


@pytest.fixture(scope="module")
def held_out() -> tuple[np.ndarray, np.ndarray]:
    """300 utterances [300, 1, steps, bands], and their words."""
    return features(array(FILE, "logmel_test"))[:, None], array(FILE, "y_test")


def words(graph: Graph, x: np.ndarray) -> np.ndarray:
    """What the model hears, [N]."""
    tensor, output = graph.input_tensors()[0], graph.output_tensors()[0]
    if tensor.dtype == "float32":
        return np.asarray(run_graph(graph, [x])[0][:, 0].argmax(axis=-1))
    (out,) = run_graph(graph, [quantize_input(tensor, x)])
    return np.asarray(dequantize(out, output)[:, 0].argmax(axis=-1))


@pytest.mark.parametrize("technique", ["int8", "int16x8"])
def test_integers_hear_what_floats_hear(
    technique: str,
    graph: Graph,
    models: dict[str, TfliteModel],
    held_out: tuple[np.ndarray, np.ndarray],
) -> None:
    """1.5 points of 300 are 4.5 words."""
    x, y = held_out
    real, found = words(graph, x), words(models[technique].graph, x)
    assert (real == y).sum() >= 280
    assert abs(int((found == y).sum()) - int((real == y).sum())) <= 4
    assert (found == real).sum() >= 295


def test_int8_has_no_float(models: dict[str, TfliteModel]) -> None:
    graph = models["int8"].graph
    assert {form_of(node) for node in graph.bound_nodes()} == {"int8", "int16"}
    assert [n.op for n in optimize(graph, GenerateOptions()).nodes].count("normalize_rows") == 5


@pytest.mark.parametrize("technique", ["int8", "int16x8"])
@pytest.mark.parametrize("engine", ["host", pytest.param("mps2_an386", marks=pytest.mark.qemu)])
def test_c_has_the_bytes_of_the_reference(
    engine: str, technique: str, models: dict[str, TfliteModel], held_out: tuple[np.ndarray, np.ndarray]
) -> None:
    """Of int8 all; int16x8 has GELU in float."""
    model = models[technique]
    x = held_out[0][:: 10 if engine == "host" else 100]
    inputs = [quantize_input(model.graph.input_tensors()[0], x)]
    (result,) = verify(model, [engine], inputs, GenerateOptions())
    assert result.identical if technique == "int8" else result.passed, result
