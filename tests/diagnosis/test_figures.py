"""The figures of a diagnosis against the same figures computed at once, in plain numpy, from whole arrays."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest

import mcu_quant as mq
from mcu_quant import pipeline, samples
from mcu_quant.diagnosis.alignment import Alignment
from mcu_quant.diagnosis.histograms import SIDE, PairHistogram
from mcu_quant.diagnosis.statistics import observe
from mcu_quant.evaluation.datasets import dataset_of
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from mcu_quant.quantize_options import QuantizeOptions
from tests.diagnosis.planted import Planted, data
from tests.passes.float_models import Model


def both(per_tensor: bool = True, edge: str = "int8") -> tuple[Graph, Graph]:
    graph = Planted().model().graph
    options = QuantizeOptions(per_tensor=per_tensor, input_type=edge, output_type=edge)
    return prepare(graph), pipeline.quantize(graph, [(data(),)], options).graph


def activations(graph: Graph, x: np.ndarray) -> dict[str, np.ndarray]:
    """Real values of every tensor of a graph."""
    values: dict[str, np.ndarray] = {}
    given = samples.quantize(x[:, None], graph.input_tensors()[0], "x")
    run_graph(graph, [given], values.__setitem__)
    return {name: samples.dequantize(value, graph.tensors[name]) for name, value in values.items()}


def test_layers_against_whole_arrays() -> None:
    x = data(200, seed=2)
    found = mq.diagnose(Planted().model(), data(), test=x, per_tensor=True)
    reference, quantized = both()
    wanted, seen = activations(reference, x), activations(quantized, x)
    for layer in found.layers:
        a, b = wanted[layer.name].astype(np.float64), seen[layer.name].astype(np.float64)
        expected = 10 * np.log10((a**2).sum() / ((a - b) ** 2).sum())
        assert layer.sqnr_db == pytest.approx(expected, rel=1e-9)
        cosine = (a * b).sum() / np.linalg.norm(a) / np.linalg.norm(b)
        assert layer.cosine == pytest.approx(cosine, rel=1e-9)
        assert layer.max_error == np.abs(a - b).max()
        assert layer.real_range == (a.min(), a.max())
        tensor = quantized.tensors[layer.name]
        low, high = (-128 - tensor.zero_point) * tensor.scale, (127 - tensor.zero_point) * tensor.scale
        outside = (a < low - tensor.scale) | (a > high + tensor.scale)
        assert layer.saturation == outside.mean()
        shift = ((b - a).reshape(-1, a.shape[-1]).mean(axis=0) ** 2).sum() * a.size / a.shape[-1]
        assert layer.bias_share == pytest.approx(shift / ((a - b) ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize("edge", ["int8", "uint8", "float32"])
def test_types_at_the_edges_do_not_matter(edge: str) -> None:
    """The integer tensors behind a float32 or uint8 edge are the same, and so are all figures."""
    usual = mq.diagnose(Planted().model(), data())
    other = mq.diagnose(Planted().model(), data(), input_type=edge, output_type=edge)
    expected, actual = ([layer.as_json() for layer in d.layers] for d in (usual, other))
    if edge == "float32":  # the outputs themselves
        assert all(layer["type"] == "int8" for layer in actual)
    assert actual == expected
    assert other.observed.fidelity == usual.observed.fidelity


def test_sensitivity_of_the_input() -> None:
    """Of a graph input it is what rounding the input does to the float model's output."""
    x = data(60, seed=2)  # no more than are thinned
    found = mq.diagnose(Planted().model(), data(), test=x)
    reference, quantized = both(per_tensor=False)
    tensor = quantized.input_tensors()[0]
    rounded = samples.dequantize(samples.quantize(x[:, None], tensor, "x"), tensor)
    wanted, seen = run_graph(reference, [x[:, None]])[0], run_graph(reference, [rounded])[0]
    expected = 10 * np.log10((wanted.astype(float) ** 2).sum() / ((wanted.astype(float) - seen) ** 2).sum())
    assert found.layers[0].output_sqnr_db == pytest.approx(expected, rel=1e-6)


def test_noise_shares_are_of_one_whole() -> None:
    found = mq.diagnose(Planted().model(), data())
    assert sum(layer.noise_share for layer in found.layers) == pytest.approx(1.0)
    (flat,) = (layer for layer in found.layers if layer.name == "flat")
    assert flat.noise_share == 0.0  # it only moves values


def test_worst_samples() -> None:
    x = data(200, seed=2)
    found = mq.diagnose(Planted().model(), data(), test={"x": x, "y": np.arange(200) % 5}, per_tensor=True)
    reference, quantized = both()
    wanted, seen = activations(reference, x)["chances"][:, 0], activations(quantized, x)["chances"][:, 0]
    share = ((wanted - seen).astype(float) ** 2).sum(axis=1) / (wanted.astype(float) ** 2).sum(axis=1)
    differs = wanted.argmax(axis=1) != seen.argmax(axis=1)
    order = sorted(range(200), key=lambda i: (not differs[i], -share[i]))
    assert [sample["index"] for sample in found.observed.worst] == order[:10]
    assert all(sample["label"] == sample["index"] % 5 for sample in found.observed.worst)


def test_histogram_against_numpy() -> None:
    values = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    rounded = np.round(values * 8) / 8
    histogram = PairHistogram()
    histogram.add(values, rounded)
    edges = (np.arange(2 * SIDE + 1) - SIDE) * histogram.width
    assert np.array_equal(histogram.counts[0], np.histogram(values, edges)[0])
    assert np.array_equal(histogram.counts[1], np.histogram(rounded, edges)[0])
    assert edges[0] <= values.min() and values.max() < edges[-1]
    assert np.abs(values).max() >= edges[-1] / 2  # no wider than needed


@pytest.mark.parametrize("order", ["rising", "falling", "shuffled"])
def test_histogram_does_not_depend_on_batches(order: str) -> None:
    values = np.exp(np.random.default_rng(0).normal(0, 4, 3000)) - 1.0
    values[:100] = 0.0
    values = {"rising": np.sort(values), "falling": np.sort(values)[::-1], "shuffled": values}[order]
    whole, parts = PairHistogram(), PairHistogram()
    whole.add(values, values)
    for part in np.array_split(values, 37):
        parts.add(part, part)
    assert whole.width == parts.width and np.array_equal(whole.counts, parts.counts)


def test_central_range_leaves_the_tails_out() -> None:
    values = np.concatenate([np.linspace(-1, 1, 10_000), [500.0]])
    histogram = PairHistogram()
    histogram.add(values, values)
    low, high = histogram.central_range(0.999)
    assert -histogram.width <= low <= -1 + histogram.width and 1 - histogram.width <= high <= histogram.width


def test_memory_does_not_grow_with_samples() -> None:
    reference, quantized = both()
    alignment = Alignment(reference, quantized)

    def stream(count: int) -> Iterator[np.ndarray]:
        chunk = data(50)
        yield from (chunk for _ in range(count // 50))

    def peak(count: int) -> int:
        source = dataset_of(lambda: stream(count), reference, "data")
        tracemalloc.start()
        observe(alignment, source, None)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(100)
    assert peak(2000) < 1.2 * peak(500)


def test_a_layer_that_a_condition_steers() -> None:
    """SELECT_V2's condition is no real value: nothing rounds it."""
    m = Model(4)
    above = m.node("greater", "above", None, m.x, m.builder.constant("zero", np.zeros(1)))
    chosen = m.node("select_v2", "chosen", None, above, m.x, m.constant("other", 4))
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    graph = m.graph(m.dense(chosen, "dense", 3))
    found = mq.diagnose(mq.FloatModel(graph, "steered"), x)
    assert "chosen" in [layer.name for layer in found.layers]
