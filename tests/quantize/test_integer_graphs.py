"""Equal scales, fixed outputs, edges, degenerate ranges; and TFLM gives our bytes throughout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError, UnsupportedModelError
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.leaky_relu import LeakyReluAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.quantize import quantize_integer
from mcu_quant.quantize_options import QuantizeOptions
from tests.oracles import tflm
from tests.passes.float_models import Model

CHANNELS = ConcatenationAttrs(3)


def samples(graph: Graph, count: int = 40, scale: float = 1.0) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(3)
    return tuple(
        (scale * random.normal(size=(count, *t.shape))).astype(np.float32) for t in graph.input_tensors()
    )


def activation(m: Model, name: str, x: str) -> str:
    attrs: Any = OPERATORS[name].keras_activations[name if name != "logistic" else "sigmoid"]
    return m.node(name, f"{name}_{x}", attrs, x)


def scheme(graph: Graph, tensor: str) -> tuple[float, int]:
    return graph.tensors[tensor].scale, graph.tensors[tensor].zero_point


def assert_tflm_agrees(graph: Graph, count: int = 6) -> None:
    random = np.random.default_rng(9)
    inputs = []
    for tensor in graph.input_tensors():
        q = random.integers(-128, 128, (count, *tensor.shape), np.int8)
        q[0], q[1] = -128, 127
        inputs.append(q)
    expected = run_graph(graph, inputs)
    for ours, theirs in zip(expected, tflm(write_tflite(graph), inputs), strict=True):
        assert np.array_equal(ours, theirs)


def assert_near_float(graph: Graph, quantized: Graph, data: tuple[np.ndarray, ...], steps: float) -> None:
    """Within so many steps of the outputs' scales."""
    inputs = [
        np.clip(np.rint(x / t.scale) + t.zero_point, -128, 127).astype(np.int8)
        for x, t in zip(data, quantized.input_tensors(), strict=True)
    ]
    pairs = zip(run_graph(graph, data), run_graph(quantized, inputs), quantized.output_tensors(), strict=True)
    for real, q, tensor in pairs:
        error = np.abs((q.astype(np.float64) - tensor.zero_point) * tensor.scale - real).max()
        assert error <= steps * tensor.scale


def test_pools_pads_and_reshapes_share_their_inputs_scheme() -> None:
    m = Model(6, 6, 3)
    conv = m.conv(m.x, "conv", 4)
    x = m.node("max_pool_2d", "pool", Pool2DAttrs((2, 2), (2, 2)), conv)
    x = m.node("pad", "pad", PadAttrs(((0, 0), (1, 0), (0, 2), (0, 0))), x)
    graph = m.graph(m.reshape(x, "flat", 80))
    quantized = quantize_integer(graph, [samples(graph)])
    assert len({scheme(quantized, name) for name in ("conv", "pool", "pad", "flat")}) == 1
    assert_tflm_agrees(quantized)


def test_concatenation_takes_the_union_of_the_ranges() -> None:
    m = Model(6, 6, 3)
    small = m.node("mul", "small", ArithmeticAttrs(), m.x, m.builder.constant("hundredth", np.full(1, 0.01)))
    graph = m.graph(m.node("concatenation", "both", CHANNELS, m.conv(m.x, "conv", 4), small))
    data = samples(graph)
    quantized = quantize_integer(graph, [data])
    assert scheme(quantized, "conv") == scheme(quantized, "small") == scheme(quantized, "both")
    y = run_graph(graph, data)[0]
    assert quantized.tensors["both"].scale == pytest.approx((y.max() - y.min()) / 255, rel=1e-6)
    assert_tflm_agrees(quantized)


def test_a_fixed_output_lends_its_scheme_where_it_holds_all() -> None:
    m = Model(6, 6, 3)
    x = m.node(
        "max_pool_2d", "pool", Pool2DAttrs((2, 2), (2, 2)), activation(m, "logistic", m.conv(m.x, "conv", 4))
    )
    graph = m.graph(m.reshape(x, "flat", 36))
    quantized = quantize_integer(graph, [samples(graph)])
    assert scheme(quantized, "flat") == (1 / 256, -128)
    assert [node.op for node in quantized.nodes] == ["conv_2d", "logistic", "max_pool_2d", "reshape"]
    assert_tflm_agrees(quantized)


@pytest.mark.parametrize("others", [("conv",), ("tanh",), ("tanh", "conv")], ids=str)
def test_a_fixed_output_is_rescaled_where_it_cannot_hold_the_others(others: tuple[str, ...]) -> None:
    m = Model(6, 6, 3)
    conv = m.conv(m.x, "conv", 4)
    values = {"conv": conv, "tanh": activation(m, "tanh", conv)}
    sigmoid = activation(m, "logistic", m.conv(m.x, "gate", 2))
    joined = m.node("concatenation", "both", CHANNELS, sigmoid, *(values[name] for name in others))
    graph = m.graph(joined, sigmoid)
    data = samples(graph)
    quantized = quantize_integer(graph, [data])
    assert scheme(quantized, sigmoid) == (1 / 256, -128), "the fixed output itself keeps its scheme"
    rescaled = [node.inputs[0] for node in quantized.nodes if node.op == "quantize"]
    assert sigmoid in rescaled and (values["tanh"] in rescaled) == ("tanh" in others)
    assert_near_float(graph, quantized, data, 30)  # a step of the convolution's is up to 20 of tanh's
    assert_tflm_agrees(quantized)


def test_a_bound_beyond_the_range_costs_no_precision() -> None:
    m = Model(6, 6, 3)
    x = m.node(
        "minimum", "limited", None, m.conv(m.x, "conv", 4), m.builder.constant("limit", np.full(1, 1e4))
    )
    graph = m.graph(x)
    data = samples(graph)
    quantized = quantize_integer(graph, [data])
    assert quantized.tensors["limited"].scale < 1
    assert_near_float(graph, quantized, data, 2)
    assert_tflm_agrees(quantized)


def test_one_constant_in_two_places_has_two_schemes() -> None:
    m = Model(6, 6, 3)
    c = m.constant("c", 3)
    x = m.node("maximum", "max", None, m.node("add", "add", ArithmeticAttrs(), m.x, c), c)
    graph = m.graph(x)
    data = samples(graph)
    quantized = quantize_integer(graph, [data])
    first, second = (quantized.tensors[node.inputs[1] or ""] for node in quantized.nodes)
    assert first.quant != second.quant and second.quant == quantized.tensors["max"].quant
    assert_near_float(graph, quantized, data, 3)
    assert_tflm_agrees(quantized)


def test_shared_weights_are_stored_once_where_the_integers_are_equal() -> None:
    m = Model(6, 6, 3)
    weights, bias = m.constant("w", 4, 3, 3, 3), m.constant("b", 4)
    outputs = [m.node("conv_2d", f"conv{i}", Conv2DAttrs(), m.x, weights, bias) for i in range(2)]
    graph = m.graph(*outputs)
    quantized = quantize_integer(graph, [samples(graph)])
    assert quantized.nodes[0].inputs == quantized.nodes[1].inputs
    assert sum(tensor.is_constant for tensor in quantized.tensors.values()) == 2


@pytest.mark.parametrize("output_type", ["int8", "uint8", "float32"])
@pytest.mark.parametrize("input_type", ["int8", "uint8", "float32"])
def test_edges(input_type: str, output_type: str) -> None:
    m = Model(6, 6, 3)
    graph = m.graph(m.conv(m.x, "conv", 4))
    data = samples(graph)
    plain = quantize_integer(graph, [data])
    edged = quantize_integer(graph, [data], QuantizeOptions(input_type=input_type, output_type=output_type))
    assert (edged.inputs, edged.outputs) == (plain.inputs, plain.outputs) == (("x",), ("conv",))
    assert (edged.tensors["x"].dtype, edged.tensors["conv"].dtype) == (input_type, output_type)
    x, y = plain.tensors["x"], plain.tensors["conv"]
    q = np.random.default_rng(0).integers(-128, 128, (5, *x.shape), np.int8)
    real_x = ((q.astype(np.float32) - x.zero_point) * np.float32(x.scale)).astype(np.float32)
    (expected,) = run_graph(plain, [q])
    real_y = (expected.astype(np.float32) - y.zero_point) * np.float32(y.scale)
    given = {"int8": q, "uint8": q.view(np.uint8) ^ 0x80, "float32": real_x}[input_type]
    wanted = {"int8": expected, "uint8": expected.view(np.uint8) ^ 0x80, "float32": real_y}[output_type]
    assert np.array_equal(run_graph(edged, [given])[0], wanted)
    assert np.array_equal(tflm(write_tflite(edged), [given])[0], wanted)


def test_edges_where_the_input_is_an_output() -> None:
    m = Model(4)
    graph = m.graph(m.dense(m.x, "dense", 3), m.x)
    quantized = quantize_integer(
        graph, [samples(graph)], QuantizeOptions(input_type="float32", output_type="float32")
    )
    assert [tensor.dtype for tensor in quantized.output_tensors()] == ["float32", "float32"]
    assert len(run_graph(quantized, samples(graph, 2))) == 2


def test_unknown_edge_type() -> None:
    m = Model(4)
    graph = m.graph(m.dense(m.x, "dense", 3))
    with pytest.raises(InvalidInputError, match=r"input type.*int16.*int8, uint8"):
        quantize_integer(graph, [samples(graph)], QuantizeOptions(input_type="int16"))


def test_operators_without_integer_form_are_listed_together() -> None:
    m = Model(6, 6, 3)
    graph = m.graph(m.norm(m.conv(m.norm(m.x, "first"), "conv", 4), "second"))
    with pytest.raises(UnsupportedModelError) as caught:
        quantize_integer(graph, [samples(graph)])
    assert [problem.layer for problem in caught.value.problems] == ["first", "second"]


def dead_conv(m: Model) -> str:
    return m.node("conv_2d", "conv", Conv2DAttrs(), m.x, m.builder.constant("w", np.zeros((4, 3, 3, 3))))


def nearly_dead_conv(m: Model) -> str:
    return m.node(
        "conv_2d", "conv", Conv2DAttrs(), m.x, m.builder.constant("w", np.full((4, 3, 3, 3), 1e-25))
    )


def conv_with_a_giant_bias(m: Model) -> str:
    weights = m.builder.constant("w", np.full((4, 3, 3, 3), 1e-7))
    return m.node(
        "conv_2d", "conv", Conv2DAttrs(), m.x, weights, m.builder.constant("b", np.array([0, 1, 1e7, -1e7]))
    )


def conv_that_cancels(m: Model) -> str:
    """Large weights, an output that is always 0 to rounding: the output's own scale would be far too fine."""
    weights = np.zeros((2, 1, 1, 3))
    weights[:, 0, 0, 0] = 1e6
    x = m.node("sub", "none", ArithmeticAttrs(), m.x, m.x)
    return m.node("conv_2d", "conv", Conv2DAttrs(), x, m.builder.constant("w", weights))


def sum_that_cancels(m: Model) -> str:
    big = m.node("mul", "big", ArithmeticAttrs(), m.x, m.builder.constant("million", np.full(1, 1e6)))
    return m.node("sub", "sub", ArithmeticAttrs(), big, big)


def sum_far_finer_than_its_operands(m: Model) -> str:
    big = m.node("mul", "big", ArithmeticAttrs(), m.x, m.builder.constant("a", np.full(1, 1e7)))
    near = m.node("mul", "near", ArithmeticAttrs(), m.x, m.builder.constant("b", np.full(1, 1e7 + 1)))
    return m.node("sub", "sub", ArithmeticAttrs(), big, near)


def product_with_zero(m: Model) -> str:
    return m.node("mul", "mul", ArithmeticAttrs(), m.x, m.builder.constant("zero", np.zeros(1)))


def softmax_of_nearly_equal(m: Model) -> str:
    x = m.node("mul", "tiny", ArithmeticAttrs(), m.x, m.builder.constant("c", np.full(1, 1e-12)))
    return activation(m, "softmax", m.reshape(x, "flat", 108))


def tanh_of_nothing(m: Model) -> str:
    return activation(
        m, "tanh", m.node("mul", "tiny", ArithmeticAttrs(), m.x, m.builder.constant("c", np.full(1, 1e-12)))
    )


def sigmoid_of_nothing(m: Model) -> str:
    return activation(
        m,
        "logistic",
        m.node("mul", "tiny", ArithmeticAttrs(), m.x, m.builder.constant("c", np.full(1, 1e-12))),
    )


def steep_leaky_relu(m: Model) -> str:
    x = activation(m, "relu", m.conv(m.x, "conv", 4))
    return m.node("leaky_relu", "leaky", LeakyReluAttrs(1e9), x)


def relu_of_the_negative(m: Model) -> str:
    bias = m.builder.constant("b", np.full(4, -1e6))
    x = m.node("conv_2d", "conv", Conv2DAttrs(), m.x, m.constant("w", 4, 3, 3, 3), bias)
    return activation(m, "relu", x)


DEGENERATE: tuple[Callable[[Model], str], ...] = (
    dead_conv,
    nearly_dead_conv,
    conv_with_a_giant_bias,
    conv_that_cancels,
    sum_that_cancels,
    sum_far_finer_than_its_operands,
    product_with_zero,
    softmax_of_nearly_equal,
    tanh_of_nothing,
    sigmoid_of_nothing,
    steep_leaky_relu,
    relu_of_the_negative,
)


@pytest.mark.parametrize("build", DEGENERATE, ids=lambda build: build.__name__)
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e5], ids=["usual", "tiny", "large"])
def test_degenerate_ranges_stay_in_bounds(build: Callable[[Model], str], scale: float) -> None:
    m = Model(6, 6, 3)
    graph = m.graph(build(m))
    quantized = quantize_integer(graph, [samples(graph, scale=scale)])
    assert_tflm_agrees(quantized)
