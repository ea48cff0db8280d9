"""Expressions of keras.ops in a model: our float graph is Keras's, and its int8 file is the oracles'."""

from __future__ import annotations

import inspect
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcu_quant.importers.keras_functions import FUNCTIONS
from mcu_quant.importers.keras_functions.unsupported import REASONS
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.importers.saved_model import load_saved_model
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from tests.conftest import one_in_four_is_quick
from tests.importers.keras_function_cases import CASES, Case
from tests.keras_files import assert_int8_file_is_the_oracles

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras is not installed (pip install 'mcu-quant[test]')")
SAMPLES = 24
NAMES = [pytest.param(name, marks=one_in_four_is_quick(index)) for index, name in enumerate(CASES)]
#: LiteRT's reference kernels lack CEIL, ROUND, and int8 forms of ELU and CUMSUM; its int8 SUM is not TFLM's,
#: and makes a 0 to divide by.
NOT_IN_LITERT = (
    "activations/elu",
    "arithmetic/ceil",
    "arithmetic/round",
    "arithmetic/round_decimals",
    "layers/normalize_1",
    "reductions/cumsum",
)


def inputs_of(case: Case) -> list[np.ndarray]:
    """[SAMPLES, 1, *shape] for each."""
    rng = np.random.default_rng(5)
    low = 0.3 if case.positive else -2.0
    return [rng.uniform(low, 2.0, (SAMPLES, 1, *shape)).astype(np.float32) for shape in case.shapes]


@cache
def model_of(name: str) -> Any:
    case = CASES[name]
    inputs = [keras.Input(shape) for shape in case.shapes]
    return keras.Model(inputs, case.write(keras.ops, *inputs))


@cache
def graph_of(name: str) -> Graph:
    return load_keras_model(model_of(name))


def keras_outputs(name: str, inputs: list[np.ndarray]) -> np.ndarray:
    if CASES[name].eager:
        return np.asarray(CASES[name].write(keras.ops, *map(keras.ops.convert_to_tensor, inputs)))
    return np.asarray(model_of(name)(inputs, training=False))


@pytest.mark.parametrize("name", NAMES)
def test_float_graph_is_keras(name: str) -> None:
    samples = inputs_of(CASES[name])
    expected = keras_outputs(name, [x[:, 0] for x in samples])
    (got,) = run_graph(graph_of(name), samples)
    assert got[:, 0].shape == expected.shape
    # float32 functions and sums of another library
    np.testing.assert_allclose(got[:, 0], expected, rtol=2e-5, atol=2e-5)
    (prepared,) = run_graph(prepare(graph_of(name)), samples)
    np.testing.assert_allclose(prepared[:, 0], expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_int8_file_is_the_oracles(name: str) -> None:
    in_litert = name not in NOT_IN_LITERT
    assert_int8_file_is_the_oracles(graph_of(name), inputs_of(CASES[name]), litert_has_it=in_litert)


#: What TensorFlow makes of these cannot be read, or Keras cannot export them.
NOT_EXPORTED = (
    "activations/sparse_sigmoid",
    "activations/gelu_erf",  # Erfc
    "arithmetic/reciprocal",  # DivNoNan
    "layers/normalize_1",
    "layers/adaptive_average_pool",  # gathers of running sums
    "layers/adaptive_max_pool",
    "layers/conv_transpose",
    "products/inner",
    "reductions/argmax",  # the bits of -0.0 are masked
    "reductions/argmax_axis",
    "reductions/argmin",
    "conditions/one_hot",
)


@pytest.mark.slow  # TensorFlow starts once more
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only the TensorFlow backend exports SavedModels"
)
def test_exported_saved_model(tmp_path: Path) -> None:
    """All expressions as one model, exported, and read from TensorFlow's operations."""
    inputs, outputs, samples = [], [], {}
    names = [name for name in CASES if name not in NOT_EXPORTED]
    for number, name in enumerate(names):
        given = [keras.Input(s, name=f"x_{number}_{i}") for i, s in enumerate(CASES[name].shapes)]
        inputs += given
        outputs.append(CASES[name].write(keras.ops, *given) * 1.0)
        samples.update({x.name: data[:4] for x, data in zip(given, inputs_of(CASES[name]), strict=True)})
    model = keras.Model(inputs, outputs)
    model.export(tmp_path / "exported", verbose=False)
    graph = load_saved_model(tmp_path / "exported")
    got = run_graph(graph, [samples[name] for name in graph.inputs])
    expected = model([samples[x.name][:, 0] for x in inputs], training=False)
    for name, mine, theirs in zip(names, got, expected, strict=True):
        np.testing.assert_allclose(mine[:, 0], np.asarray(theirs), rtol=2e-5, atol=2e-5, err_msg=name)


def test_every_function_of_keras_is_read_or_listed() -> None:
    from keras.src.ops import core, image, linalg, math, nn, numpy, operation

    modules = (core, image, linalg, math, nn, numpy)
    names = {
        name
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and issubclass(value, operation.Operation)
        and value is not operation.Operation
    }
    assert names - set(FUNCTIONS) - set(REASONS) == set()
    assert set(FUNCTIONS) & set(REASONS) == set()
