"""Layers that normalize, in every technique: standard operators, between converters among integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.cumsum import CumsumAttrs
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import KerasLayer
from mcu_quant.ops.layer_normalization import OPERATOR as LAYER
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.passes import prepare
from mcu_quant.pipeline import TfliteModel, quantize, verify
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.samples import default_inputs, dequantize
from tests.keras_models import quantize_input
from tests.oracles import litert_ref, tflm
from tests.passes.float_models import Model

RNG = np.random.default_rng(5)


def _weights(count: int, size: int) -> tuple[np.ndarray, ...]:
    return tuple(RNG.uniform(0.5, 1.5, size).astype(np.float32) for _ in range(count))


def _between(*shape: int, layer: KerasLayer, last: int) -> Graph:
    """The layer between two convolutions."""
    m = Model(*shape)
    y = LAYER.from_keras(layer, [m.conv(m.x, "before", 12, padding="same")], m.builder)
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


GRAPHS: dict[str, Callable[[], Graph]] = {
    f.__name__: f for f in (layer_norm, plain_layer_norm, rms_norm, group_norm)
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
        # float32 inside, in another order of sums, or nothing but integers
        most = 4 if any(form_of(node) == "float" for node in model.graph.bound_nodes()) else 0
        assert np.abs(y.astype(int) - again.astype(int)).max() <= most
        assert most == 0 or technique == "int16x8"


def converters(graph: Graph) -> tuple[int, int]:
    count = Counter(node.node.op for node in graph.bound_nodes())
    return count["dequantize"], count["quantize"]


@pytest.mark.parametrize("name", GRAPHS)
def test_int16_between_one_pair_of_converters(name: str) -> None:
    _, model = quantized(name, "int8")
    assert converters(model.graph) == (0, 2)
    forms = {node.name: form_of(node) for node in model.graph.bound_nodes()}
    assert forms["norm"] == "int16" and forms["before"] == forms["after"] == "int8"


@pytest.mark.parametrize(("spread", "form"), [(0.1, "int16"), (1.5, "float")])
def test_rows_that_int16_cannot_hold_together_are_float(spread: float, form: str) -> None:
    """In int16x8; the differences of int8 rows that count are fewer."""
    graph = prepare(layer_norm())
    (x,) = graph.input_tensors()
    rng = np.random.default_rng(8)
    rows = 10.0 ** rng.uniform(-spread, 0, (40, *x.shape[:-1], 1))
    batch = (rng.normal(size=(40, *x.shape)) * rows).astype(np.float32)
    for technique in ("int8", "int16x8"):
        model = quantize(graph, [batch], QuantizeOptions(technique=technique))
        forms = {node.name: form_of(node) for node in model.graph.bound_nodes()}
        assert forms["norm"] == ("int16" if technique == "int8" else form)
        among_ints = (0, 2) if technique == "int8" else (0, 0)
        assert converters(model.graph) == ((1, 1) if forms["norm"] == "float" else among_ints)


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


@pytest.mark.parametrize(
    ("technique", "spread", "steps"),
    [("int8", 1.0, 1.5), ("int16x8", 1.0, 1.0), ("int8", 0.3, 1.0), ("int16x8", 0.3, 40.0)],
)
def test_the_layer_itself_adds_little(technique: str, spread: float, steps: float) -> None:
    """Its input dequantized, all in float32, and rounded once. Rows that int16 computes are off by 0.1 %."""
    m = Model(6, 16)
    layer = KerasLayer("norm", "LayerNormalization", {}, _weights(2, 16))
    graph = m.graph(LAYER.from_keras(layer, [m.x], m.builder))
    rng = np.random.default_rng(6)
    rows = 10.0 ** rng.uniform(-spread, 0, (60, 1, 6, 1))
    batch = (rng.normal(size=(60, 1, 6, 16)) * rows).astype(np.float32)
    model = quantize(graph, [batch], QuantizeOptions(technique=technique))
    x, y = model.graph.input_tensors()[0], model.graph.output_tensors()[0]
    q = quantize_input(x, batch)
    (real,), (out,) = run_graph(graph, [dequantize(q, x).astype(np.float32)]), run_graph(model.graph, [q])
    limits = np.iinfo(y.dtype)
    real = np.clip(real, *((limit - y.zero_point) * y.scale for limit in (limits.min, limits.max)))
    assert np.abs(dequantize(out, y) - real).max() <= steps * y.scale


def on_one_layer(op: str, attrs: Any) -> Graph:
    m = Model(4, 5, 3)
    return m.graph(m.conv(m.node(op, op, attrs, m.conv(m.x, "before", 4)), "after", 2, size=1))


@pytest.mark.parametrize(
    ("op", "attrs"), [("cumsum", CumsumAttrs(1)), ("reduce_prod", ReductionAttrs((2,), keepdims=True))]
)
def test_what_integers_do_badly_is_float(op: str, attrs: Any) -> None:
    graph = prepare(on_one_layer(op, attrs))
    batch = samples(graph)
    model = quantize(graph, [batch], QuantizeOptions())
    forms = {node.name: form_of(node) for node in model.graph.bound_nodes()}
    assert forms[op] == "float" and forms["before"] == forms["after"] == "int8"
    x, y = model.graph.input_tensors()[0], model.graph.output_tensors()[0]
    (real,), (out,) = run_graph(graph, [batch]), run_graph(model.graph, [quantize_input(x, batch)])
    assert np.abs(dequantize(out, y) - real).max() <= 10 * y.scale
    litert_ref(model.data, [quantize_input(x, batch)])


@pytest.mark.parametrize("axis", [1, (1, 2), -1])
@pytest.mark.parametrize("name", ["Softmax", "UnitNormalization"])
def test_any_axis_has_the_bits_of_tflm(name: str, axis: Any) -> None:
    m = Model(4, 5, 3)
    layer = KerasLayer("layer", name, {"axis": axis})
    operator = next(op for op in OPERATORS.values() if name in op.keras_layers)
    graph = m.graph(operator.from_keras(layer, [m.conv(m.x, "before", 4)], m.builder))
    model = quantize(prepare(graph), [samples(graph)], QuantizeOptions())
    assert {form_of(node) for node in model.graph.bound_nodes()} == {"int8"}
    inputs = default_inputs(model.graph, 6)
    (y,) = run_graph(model.graph, inputs)
    assert np.array_equal(y, tflm(model.data, inputs)[0])
    (result,) = verify(model, ["host"], inputs, GenerateOptions())
    assert result.identical, result
