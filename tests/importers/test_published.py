"""The published and trained models: every form of a model is the same graph, and computes what Keras did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.saved_model import load_saved_model
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from tests.graphs import assert_same_graph
from tests.keras_models import MODELS, SHARED, needs_models

pytestmark = needs_models

LEGACY = ("ad01", "pretrainedResnet", "vww_96", "str_ww_ref_model")


def assert_golden(graph: Graph, model: str) -> None:
    """Within 1e-4 of the output's range: float32 sums in another order."""
    with np.load(SHARED / "golden" / f"{model}.keras_float.npz") as stored:
        x, y = stored["x"], stored["y"]
    (got,) = run_graph(graph, [x[:, None]])
    assert np.abs(got[:, 0] - y).max() <= 1e-4 * (y.max() - y.min())


@pytest.mark.parametrize("model", MODELS)
def test_keras_file(model: str) -> None:
    assert_golden(load_keras_file(SHARED / "models" / f"{model}.keras"), model)


@pytest.mark.parametrize("model", LEGACY)
def test_legacy_file_is_the_same_graph(model: str) -> None:
    legacy = load_keras_file(SHARED / "models" / f"{model}.h5")
    assert_same_graph(legacy, load_keras_file(SHARED / "models" / f"{model}.keras"))


@pytest.mark.slow  # TensorFlow starts
def test_saved_model() -> None:
    """Of Keras 2, with optimizer slots that today's TensorFlow cannot restore as objects.

    The published SavedModel pools 25 rows and the published .keras model 24; else they are one model.
    """
    pytest.importorskip(
        "tensorflow", reason="TensorFlow is not installed (pip install 'mcu-quant[tensorflow]')"
    )
    graph = load_saved_model(SHARED / "models" / "kws_ref_model_savedmodel")
    assert graph.inputs == ("input_1",)
    keras = load_keras_file(SHARED / "models" / "kws_ref_model.keras")
    nodes = [
        replace(node, attrs=replace(node.attrs, filter_size=(25, 5), strides=(25, 5)))
        if node.op == "average_pool_2d"
        else node
        for node in keras.nodes
    ]
    with np.load(SHARED / "golden" / "kws_ref_model.keras_float.npz") as stored:
        x = stored["x"][:, None]
    (expected,) = run_graph(replace(keras, nodes=tuple(nodes)), [x])
    (got,) = run_graph(graph, [x])
    np.testing.assert_allclose(got, expected, atol=1e-5)  # float32 sums in another order
