"""The trained Keras models by the techniques that keep activations in float32."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph, Tensor
from mcu_quant.kernels.base import CORES
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.pipeline import TfliteModel, deploy, load, quantize, verify
from mcu_quant.quantize_options import QuantizeOptions
from tests.keras_models import SHARED, held_out_data, needs_models
from tests.oracles import litert_ref

pytestmark = needs_models

MODELS = ("kws_ref_model", "fashion_dscnn", "fsdd_dscnn", "pretrainedResnet")
#: Name to (options, how far outputs may be from Keras's on its golden inputs, of the largest). These are
#: half noise, on which probabilities lie anywhere; test_accuracy_is_that_of_float has the narrow bound.
TECHNIQUES = {
    "float32": ({"technique": "float32"}, 1e-4),
    "float16": ({"technique": "float16"}, 2e-2),
    "weights": ({"technique": "dynamic", "dynamic_range": "weights"}, 1e-1),
    "hybrid": ({"technique": "dynamic"}, 2e-1),
    "hybrid_per_tensor": ({"technique": "dynamic", "per_tensor": True}, 5e-1),
}
#: By how many right answers a technique may differ from float32 (of 996, 5,000, 300).
FEWER = {"float16": 0.001, "weights": 0.01, "hybrid": 0.01}
SAME_BITS_AS_FLOAT = 1e-4


@cache
def by(model: str, technique: str) -> TfliteModel:
    options, _ = TECHNIQUES[technique]
    return quantize(load(SHARED / "models" / f"{model}.keras"), (), QuantizeOptions(**options))


def golden(model: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [N, 1, …] and Keras's outputs [N, classes]."""
    with np.load(SHARED / "golden" / f"{model}.keras_float.npz") as stored:
        return stored["x"][:, None], stored["y"]


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("model", MODELS)
def test_near_keras(model: str, technique: str) -> None:
    x, y = golden(model)
    (actual,) = run_graph(by(model, technique).graph, [x])
    assert np.abs(actual.reshape(y.shape) - y).max() <= TECHNIQUES[technique][1] * np.abs(y).max()


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("model", MODELS)
def test_litert_opens_the_file_and_agrees(model: str, technique: str) -> None:
    file = by(model, technique)
    x, _ = golden(model)
    (expected,) = run_graph(file.graph, [x])
    (actual,) = litert_ref(file.data, [x])
    # LiteRT quantizes the input of a CONV_2D whose scales are all equal in 127 steps to a side, we in 255.
    allowed = {"hybrid": 3e-2, "hybrid_per_tensor": 2e-1}.get(technique, SAME_BITS_AS_FLOAT)
    assert np.abs(actual - expected).max() <= allowed * np.abs(expected).max()


@pytest.mark.parametrize("technique", TECHNIQUES)
@pytest.mark.parametrize("model", MODELS)
def test_c_agrees_with_the_reference(model: str, technique: str) -> None:
    x, _ = golden(model)
    (result,) = verify(by(model, technique), ["host"], [x], GenerateOptions())
    assert result.passed and result.tolerances[0] is not None, result


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("board", ["mps2_an386", "mps2_an385_m0plus"])
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_boards_with_and_without_fpu_agree(board: str, technique: str) -> None:
    x, _ = golden("kws_ref_model")
    (result,) = verify(by("kws_ref_model", technique), [board], [x[:2]], GenerateOptions())
    assert result.passed, result


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_weights_take_a_half_and_a_quarter(technique: str) -> None:
    """Of weights as the C has them; nothing else of a linear layer is narrower than float32."""
    narrower = {"float32": 1, "float16": 2}.get(technique, 4)
    for model in MODELS:
        whole, ours = (weight_bytes(by(model, name)) for name in ("float32", technique))
        assert whole == {layer: narrower * size for layer, size in ours.items()}


def weight_bytes(model: TfliteModel) -> dict[str, int]:
    """Layer to the bytes of its weights: as the file has them, and the generated table."""
    deployment = deploy(model, CORES["generic"], GenerateOptions())
    found = {}
    for node, kernel in zip(deployment.graph.bound_nodes(), deployment.kernels, strict=True):
        rule = OPERATORS[node.node.op].quant_rule.weights
        if rule is not None:
            tables = [a for a in kernel.call(node).arguments if getattr(a, "label", "") == "weights"]
            assert len(tables) == 1 and tables[0].data.nbytes == node.input(rule.index).bytes
            found[node.name] = tables[0].data.nbytes
    assert found
    return found


@pytest.mark.slow
@pytest.mark.parametrize("model", ["pretrainedResnet", "fashion_dscnn", "fsdd_dscnn"])
def test_accuracy_is_that_of_float(model: str) -> None:
    x, labels = held_out_data(model)

    def correct(technique: str) -> int:
        graph, right = by(model, technique).graph, 0
        for start in range(0, len(x), 250):
            (y,) = run_graph(graph, [x[start : start + 250, None]])
            right += int((y.reshape(len(y), -1).argmax(axis=1) == labels[start : start + 250]).sum())
        return right

    whole = correct("float32")
    for technique, share in FEWER.items():
        assert correct(technique) >= whole - max(1, share * len(x)), technique


@cache
def converted(model: str, technique: str) -> bytes:
    """What the usual converter makes of the same model."""
    tf, keras = pytest.importorskip("tensorflow"), pytest.importorskip("keras")
    path = SHARED / "models" / f"{model}.keras"
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.models.load_model(path))
    if technique != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if technique == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


@pytest.mark.slow
@pytest.mark.parametrize("technique", ["float32", "float16", "hybrid"])
@pytest.mark.parametrize("model", MODELS)
def test_the_usual_converters_file(model: str, technique: str) -> None:
    """It is no smaller than ours, but for 2 %; and it is read: LiteRT and our C compute the same of it."""
    data = converted(model, technique)
    assert len(by(model, technique).data) <= 1.02 * len(data)
    theirs = TfliteModel("theirs", data, read_tflite(data, "theirs"))
    if technique == "hybrid":
        assert any(getattr(node.attrs, "hybrid", False) for node in theirs.graph.nodes)
    if technique == "float16":
        assert all(is_half(tensor) for tensor in weights_of(theirs.graph))
    x, _ = golden(model)
    (expected,) = run_graph(theirs.graph, [x])
    (actual,) = litert_ref(data, [x])
    allowed = 3e-2 if technique == "hybrid" else SAME_BITS_AS_FLOAT
    assert np.abs(actual - expected).max() <= allowed * np.abs(expected).max()
    (result,) = verify(theirs, ["host"], [x], GenerateOptions())
    assert result.passed, result


def weights_of(graph: Graph) -> list[Tensor]:
    rules = [(node, OPERATORS[node.node.op].quant_rule.weights) for node in graph.bound_nodes()]
    return [node.input(rule.index) for node, rule in rules if rule is not None]


def is_half(tensor: Tensor) -> bool:
    return tensor.dtype == "float16" and tensor.is_constant
