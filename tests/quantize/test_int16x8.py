"""The technique int16x8: int16 activations, int8 weights, int64 biases; TFLM gives our bytes throughout."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError, UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.leaky_relu import LeakyReluAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.softmax import SoftmaxAttrs
from mcu_quant.pipeline import quantize as quantize_model
from mcu_quant.pipeline import read_model, verify
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from tests.graphs import assert_same_graph
from tests.oracles import tflm
from tests.passes.float_models import Model
from tests.quantize.test_integer_graphs import CHANNELS, activation, samples

STEPS = 2**15


def int16(graph: Graph, data: tuple[np.ndarray, ...], **options: str) -> Graph:
    return quantize_integer(graph, [data], QuantizeOptions("int16x8", **options))


def all_kinds() -> Graph:
    """One of nearly everything, with a dense end."""
    m = Model(8, 8, 3)
    a = m.conv(m.x, "conv", 4, activation="relu")
    b = m.node("leaky_relu", "leaky", LeakyReluAttrs(0.25), m.conv(m.x, "other", 4))
    c = m.node("add", "sum", ArithmeticAttrs(), a, b)
    d = m.node("mul", "gated", ArithmeticAttrs(), c, activation(m, "logistic", b))
    e = m.node("concatenation", "both", CHANNELS, d, activation(m, "tanh", a))
    e = m.node("pad", "pad", PadAttrs(((0, 0), (1, 0), (0, 1), (0, 0))), e)
    f = m.node("max_pool_2d", "max", Pool2DAttrs((2, 2), (2, 2)), e)
    g = m.node("average_pool_2d", "average", Pool2DAttrs((2, 2), (1, 1)), f)
    g = m.node("sub", "less", ArithmeticAttrs(), g, m.constant("c", 8))
    g = activation(m, "relu6", activation(m, "relu", g))
    h = m.node("mean", "mean", ReductionAttrs((1, 2)), g)
    return m.graph(m.node("softmax", "softmax", SoftmaxAttrs(), m.dense(h, "dense", 5)))


def inputs(graph: Graph, count: int = 6) -> list[np.ndarray]:
    random = np.random.default_rng(9)
    found = [
        random.integers(-STEPS, STEPS, (count, *t.shape)).astype(np.int16) for t in graph.input_tensors()
    ]
    for x in found:
        x[0], x[1] = -STEPS, STEPS - 1
    return found


def assert_tflm_agrees(graph: Graph) -> None:
    data = inputs(graph)
    for ours, theirs in zip(run_graph(graph, data), tflm(write_tflite(graph), data), strict=True):
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)


def test_all_kinds_of_operators() -> None:
    graph = all_kinds()
    data = samples(graph)
    quantized = int16(graph, data)
    assert_tflm_agrees(quantized)
    (x,) = quantized.input_tensors()
    q = np.clip(np.rint(data[0] / x.scale), -STEPS, STEPS - 1).astype(np.int16)
    error = run_graph(quantized, [q])[0] / STEPS - run_graph(graph, data)[0]
    assert np.abs(error).max() < 0.02  # what int8 weights cost


def test_types_and_scales_are_those_of_the_specification() -> None:
    graph = all_kinds()
    data = samples(graph)
    quantized = int16(graph, data)
    activations = [tensor for tensor in quantized.tensors.values() if not tensor.is_constant]
    assert {(tensor.dtype, tensor.zero_point) for tensor in activations} == {("int16", 0)}
    assert quantized.tensors["x"].scale == pytest.approx(np.abs(data[0]).max() / 32767, rel=1e-6)
    (conv,) = (node for node in quantized.bound_nodes() if node.name == "conv")
    weights, bias = conv.input(1), conv.input(2)
    assert (weights.dtype, bias.dtype) == ("int8", "int64")
    assert weights.quant is not None and bias.quant is not None
    np.testing.assert_allclose(
        bias.quant.scale, np.array(weights.quant.scale) * conv.input(0).scale, rtol=1e-6
    )
    fixed = [tensor.scale for tensor in activations if "softmax" in tensor.name or "logistic" in tensor.name]
    assert set(fixed) == {1 / 32768}


def test_the_file_is_the_same_graph_again() -> None:
    graph = all_kinds()
    quantized = int16(graph, samples(graph))
    assert_same_graph(read_tflite(write_tflite(quantized), quantized.name), quantized, names=False)


@pytest.mark.parametrize("per_tensor", [False, True])
def test_generated_c_on_this_computer(per_tensor: bool) -> None:
    graph = all_kinds()
    quantized = quantize_integer(graph, [samples(graph)], QuantizeOptions("int16x8", per_tensor=per_tensor))
    model = read_model(write_tflite(quantized), "kinds")
    from mcu_quant.deployment import GenerateOptions

    for optimize in ("time", "balanced", "size"):
        (result,) = verify(model, ["host"], inputs(quantized), GenerateOptions(optimize=optimize))
        assert result.identical, result


@pytest.mark.parametrize("output_type", ["int16", "int8", "float32"])
@pytest.mark.parametrize("input_type", ["int16", "int8", "float32"])
def test_edges(input_type: str, output_type: str) -> None:
    m = Model(6, 6, 3)
    graph = m.graph(m.conv(m.x, "conv", 4))
    data = samples(graph)
    options = QuantizeOptions("int16x8", input_type=input_type, output_type=output_type)
    model = quantize_model(graph, [data], options)
    x, y = model.graph.tensors["x"], model.graph.tensors["conv"]
    assert (x.dtype, y.dtype) == (input_type, output_type)
    given = data[0][:5]
    if input_type != "float32":
        given = np.clip(np.rint(given / x.scale), *_limits(input_type)).astype(input_type)
    (expected,) = run_graph(model.graph, [given])
    assert np.array_equal(tflm(model.data, [given])[0], expected)
    real = expected if output_type == "float32" else expected * y.scale
    coarse = 0.08 if "int8" in (input_type, output_type) else 0.02
    assert np.abs(real - run_graph(graph, [data[0][:5]])[0]).max() < coarse * np.abs(real).max()


def _limits(dtype: str) -> tuple[int, int]:
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def test_the_usual_edges_are_int16() -> None:
    m = Model(4)
    graph = m.graph(m.dense(m.x, "dense", 3))
    model = quantize_model(graph, [samples(graph)], QuantizeOptions("int16x8"))
    assert [t.dtype for t in (*model.graph.input_tensors(), *model.graph.output_tensors())] == ["int16"] * 2


def test_uint8_edges_are_refused() -> None:
    m = Model(4)
    graph = m.graph(m.dense(m.x, "dense", 3))
    with pytest.raises(
        InvalidInputError, match=r"input type.*int16 activations.*uint8.*int16, int8, float32"
    ):
        quantize_model(graph, [samples(graph)], QuantizeOptions("int16x8", input_type="uint8"))


@pytest.mark.parametrize("method", ["mse", "entropy"])
def test_calibrations_for_256_steps_are_refused(method: str) -> None:
    m = Model(4)
    graph = m.graph(m.dense(m.x, "dense", 3))
    with pytest.raises(InvalidInputError, match=f"weigh the steps of int8.*{method}.*minmax"):
        quantize_model(graph, [samples(graph)], QuantizeOptions("int16x8", calibration=method))


@pytest.mark.parametrize("method", ["moving_average", "percentile=99"])
def test_other_calibrations(method: str) -> None:
    m = Model(6, 6, 3)
    graph = m.graph(m.conv(m.x, "conv", 4))
    plain, other = (
        quantize_integer(graph, [samples(graph)], QuantizeOptions("int16x8", calibration=name))
        for name in ("minmax", method)
    )
    assert other.tensors["conv"].scale < plain.tensors["conv"].scale
    assert_tflm_agrees(other)


def test_what_tflm_lacks_is_refused_by_name() -> None:
    m = Model(2**16)
    graph = m.graph(m.node("softmax", "wide", SoftmaxAttrs(), m.x))
    with pytest.raises(UnsupportedModelError, match="wide: rows must have at most 65535 elements"):
        int16(graph, samples(graph, 2))


def test_what_tflm_never_has_in_int16_is_float() -> None:
    m = Model(4)
    below = m.node("greater_equal", "below", None, m.x, m.constant("threshold", 1))
    graph = m.graph(m.node("select_v2", "select", None, below, m.x, m.constant("zero", 1)))
    quantized = int16(graph, samples(graph))
    forms = {node.name: form_of(node) for node in quantized.bound_nodes()}
    assert forms["below"] == forms["select"] == "float"
    assert_tflm_agrees(quantized)


def test_a_dead_layer_and_one_fed_with_constants() -> None:
    """Ranges of nothing but 0, and sums far finer than their operands: within what the arithmetic bears."""
    m = Model(6, 6, 3)
    zero = m.node("mul", "zero", ArithmeticAttrs(), m.x, m.builder.constant("none", np.zeros(1)))
    tiny = m.node("sub", "tiny", ArithmeticAttrs(), m.x, m.x)
    both = m.node("add", "both", ArithmeticAttrs(), m.conv(zero, "dead", 3), m.conv(tiny, "flat", 3))
    graph = m.graph(m.conv(both, "end", 4))
    assert_tflm_agrees(int16(graph, samples(graph)))


def test_a_bound_costs_no_precision_and_constants_have_a_scheme_for_each_use() -> None:
    m = Model(6, 6, 3)
    limit = m.builder.constant("limit", np.full(1, 1e4))
    c = m.constant("c", 3)
    x = m.node("minimum", "limited", None, m.conv(m.x, "conv", 3), limit)
    graph = m.graph(m.node("maximum", "max", None, m.node("add", "add", ArithmeticAttrs(), x, c), c))
    quantized = int16(graph, samples(graph))
    assert quantized.tensors["limited"].scale < 1e-3
    assert_tflm_agrees(quantized)


@pytest.mark.parametrize("scale", [0.001, 1.0])
def test_a_square_of_small_values_has_a_fine_scale(scale: float) -> None:
    """x * x has one tensor for both operands; both scales count, or the output's is too coarse."""
    m = Model(4)
    graph = m.graph(m.node("mul", "square", ArithmeticAttrs(), m.x, m.x))
    data = samples(graph, scale=scale)
    quantized, largest = int16(graph, data), np.square(data[0]).max()
    assert quantized.tensors["square"].scale == pytest.approx(largest / (STEPS - 1), rel=1e-3)
    assert_tflm_agrees(quantized)


def test_a_square_that_shares_its_scale_with_its_operand() -> None:
    """Concatenated with x, it is of x's scale: no reason to widen that without end."""
    m = Model(6, 6, 3)
    square = m.node("mul", "square", ArithmeticAttrs(), m.x, m.x)
    graph = m.graph(m.node("concatenation", "both", CHANNELS, square, m.x))
    assert_tflm_agrees(int16(graph, samples(graph)))
