"""Layers that normalize, in every technique: standard operators, between converters among integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import KerasLayer
from mcu_quant.ops.l2_normalization import OPERATOR as L2
from mcu_quant.ops.layer_normalization import OPERATOR as LAYER
from mcu_quant.passes import prepare
from mcu_quant.pipeline import TfliteModel, quantize, verify
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.samples import default_inputs, dequantize
from tests.keras_models import quantize_input
from tests.oracles import litert_ref, tflm
from tests.passes.float_models import Model

pytestmark = pytest.mark.skipif("rsqrt" not in OPERATORS, reason="the operator rsqrt is not there yet")
RNG = np.random.default_rng(5)


def _weights(count: int, size: int) -> tuple[np.ndarray, ...]:
    return tuple(RNG.uniform(0.5, 1.5, size).astype(np.float32) for _ in range(count))


def _between(*shape: int, layer: KerasLayer, last: int) -> Graph:
    """The layer between two convolutions."""
    m = Model(*shape)
    operator = L2 if layer.class_name == "UnitNormalization" else LAYER
    y = operator.from_keras(layer, [m.conv(m.x, "before", 12, padding="same")], m.builder)
    return m.graph(m.conv(y, "after", last, size=1))


def layer_norm() -> Graph:
    return _between(4, 5, 3, layer=KerasLayer("norm", "LayerNormalization", {}, _weights(2, 12)), last=5)


def plain_layer_norm() -> Graph:
    config = {"axis": [1, 3], "scale": False, "center": False}
    return _between(4, 5, 3, layer=KerasLayer("norm", "LayerNormalization", config), last=5)


def rms_norm() -> Graph:
    layer = KerasLayer("norm", "RMSNormalization", {"epsilon": 1e-6}, _weights(1, 12))
    return _between(4, 5, 3, layer=layer, last=5)


def group_norm() -> Graph:
    layer = KerasLayer("norm", "GroupNormalization", {"groups": 3}, _weights(2, 12))
    return _between(4, 5, 3, layer=layer, last=5)


def unit_norm_over_height() -> Graph:
    return _between(4, 5, 3, layer=KerasLayer("norm", "UnitNormalization", {"axis": 1}), last=5)


GRAPHS: dict[str, Callable[[], Graph]] = {
    f.__name__: f for f in (layer_norm, plain_layer_norm, rms_norm, group_norm, unit_norm_over_height)
}
TECHNIQUES = ("int8", "int16x8", "float32", "float16", "dynamic")


def samples(graph: Graph, count: int = 60) -> np.ndarray:
    """Rows, and samples, of sizes that differ by a factor of ten, as activations of real networks do."""
    (x,) = graph.input_tensors()
    rng = np.random.default_rng(6)
    rows = 10.0 ** rng.uniform(-1, 0, (count, *x.shape[:-1], 1))
    return (rng.normal(size=(count, *x.shape)) * rows).astype(np.float32)


@cache
def quantized(name: str, technique: str) -> tuple[Graph, TfliteModel]:
    graph = prepare(GRAPHS[name]())
    return graph, quantize(graph, [samples(graph)], QuantizeOptions(technique=technique))


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("technique", TECHNIQUES)
def test_c_reference_and_file_agree(name: str, technique: str) -> None:
    _, model = quantized(name, technique)
    inputs = default_inputs(model.graph, 4)
    (result,) = verify(model, ["host"], inputs, GenerateOptions())
    assert result.passed, result
    (again,) = run_graph(read_tflite(model.data, "again"), inputs)
    assert np.array_equal(again, run_graph(model.graph, inputs)[0])
    litert_ref(model.data, inputs)
    if technique in ("int8", "int16x8"):
        (y,) = tflm(model.data, inputs)
        assert np.abs(y.astype(int) - again.astype(int)).max() <= (1 if technique == "int8" else 4)


@pytest.mark.parametrize("name", GRAPHS)
def test_one_pair_of_converters(name: str) -> None:
    _, model = quantized(name, "int8")
    count = Counter(node.node.op for node in model.graph.bound_nodes())
    assert (count["dequantize"], count["quantize"]) == (1, 1), count
    forms = {node.name: form_of(node) for node in model.graph.bound_nodes()}
    assert forms["norm"] == "float" and forms["before"] == forms["after"] == "int8"


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize(("technique", "steps"), [("int8", 8.0), ("int16x8", 350.0)])
def test_integers_are_near_the_float_meaning(name: str, technique: str, steps: float) -> None:
    """All of the network: rows of a tenth of the range have few steps before they are normalized, whatever
    the layer does; in int16x8 it is the weights' 8 bits that show."""
    graph, model = quantized(name, technique)
    x, y = model.graph.input_tensors()[0], model.graph.output_tensors()[0]
    batch = samples(graph)[:20]
    (real,) = run_graph(graph, [batch])
    (out,) = run_graph(model.graph, [quantize_input(x, batch)])
    assert np.abs(dequantize(out, y) - real).max() <= steps * y.scale


@pytest.mark.parametrize(("technique", "steps"), [("int8", 1.0), ("int16x8", 1.0)])
def test_the_layer_itself_adds_no_more_than_a_step(technique: str, steps: float) -> None:
    """Its input dequantized, all in float32, and rounded once."""
    m = Model(6, 16)
    layer = KerasLayer("norm", "LayerNormalization", {}, _weights(2, 16))
    graph = m.graph(LAYER.from_keras(layer, [m.x], m.builder))
    batch = samples(graph)
    model = quantize(graph, [batch], QuantizeOptions(technique=technique))
    x, y = model.graph.input_tensors()[0], model.graph.output_tensors()[0]
    q = quantize_input(x, batch)
    (real,), (out,) = run_graph(graph, [dequantize(q, x).astype(np.float32)]), run_graph(model.graph, [q])
    limits = np.iinfo(y.dtype)
    real = np.clip(real, *((limit - y.zero_point) * y.scale for limit in (limits.min, limits.max)))
    assert np.abs(dequantize(out, y) - real).max() <= steps * y.scale
