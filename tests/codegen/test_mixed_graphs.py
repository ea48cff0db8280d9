"""Graphs in which some layers are int8, others float, hybrid or with narrow weights: they run, and right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import Graph, Node, QuantParams, State, Tensor, check
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.logistic import LogisticAttrs
from mcu_quant.ops.relu import ReluAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.softmax import SoftmaxAttrs
from mcu_quant.ops.tolerance import FLOAT, HYBRID, STEPS, output_tolerances
from mcu_quant.pipeline import TfliteModel, deploy, deploy_smallest, read_model, verify
from mcu_quant.quantize.floats import quantize_weights
from mcu_quant.verify.compare import compare
from mcu_quant.verify.host import HostEngine

IMAGE = (1, 6, 6, 4)
A, B = QuantParams.per_tensor(0.05, -20), QuantParams.per_tensor(0.1, 5)


def mixed_graph() -> Graph:
    """float conv → quantize → int8 depthwise → dequantize → half-weight conv → hybrid dense → softmax.

    Outputs: the softmax; the int8 layer's; and a sum that is quantized again.
    """
    rng = np.random.default_rng(11)

    def floats(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32) / 3

    depthwise, scales = quantize_weights(floats(1, 3, 3, 4), 3)
    bias = QuantParams(tuple(float(np.float32(A.scale[0] * s)) for s in scales.scale), (0,) * 4, 0)
    tensors = [
        Tensor("x", IMAGE),
        Tensor.constant("w1", floats(4, 3, 3, 4)),
        Tensor.constant("b1", floats(4)),
        Tensor("a", IMAGE),
        Tensor("qa", IMAGE, "int8", A),
        Tensor.constant("w2", depthwise, scales),
        Tensor.constant("b2", rng.integers(-99, 99, 4).astype(np.int32), bias),
        Tensor("qb", IMAGE, "int8", B),
        Tensor("b", IMAGE),
        Tensor.constant("w3", floats(4, 1, 1, 4).astype(np.float16)),
        Tensor.constant("b3", floats(4).astype(np.float16)),
        Tensor("c", IMAGE),
        Tensor.constant("offset", floats(4).astype(np.float16)),
        Tensor("sum", IMAGE),
        Tensor("qsum", IMAGE, "int8", B),
        Tensor("flat", (1, 144)),
        Tensor.constant("w4", *quantize_weights(floats(5, 144), 0)),
        Tensor("scores", (1, 5)),
        Tensor("y", (1, 5)),
    ]
    nodes = (
        Node("conv", "conv_2d", Conv2DAttrs(activation="relu6"), ("x", "w1", "b1"), ("a",)),
        Node("in", "quantize", None, ("a",), ("qa",)),
        Node("depthwise", "depthwise_conv_2d", DepthwiseConv2DAttrs(), ("qa", "w2", "b2"), ("qb",)),
        Node("out", "dequantize", None, ("qb",), ("b",)),
        Node("halves", "conv_2d", Conv2DAttrs(), ("b", "w3", "b3"), ("c",)),
        Node("add", "add", ArithmeticAttrs("relu"), ("c", "offset"), ("sum",)),
        Node("again", "quantize", None, ("sum",), ("qsum",)),
        Node("flatten", "reshape", ReshapeAttrs((1, 144)), ("sum",), ("flat",)),
        Node("dense", "fully_connected", FullyConnectedAttrs(hybrid=True), ("flat", "w4"), ("scores",)),
        Node("softmax", "softmax", SoftmaxAttrs(1.0), ("scores",), ("y",)),
    )
    return check(Graph("mixed", nodes, {t.name: t for t in tensors}, ("x",), ("y", "qb", "qsum")))


@pytest.fixture(scope="module")
def model() -> TfliteModel:
    return read_model(write_tflite(mixed_graph()), "mixed")


def inputs(count: int = 12) -> list[np.ndarray]:
    return [np.random.default_rng(3).normal(size=(count, *IMAGE)).astype(np.float32)]


def test_what_is_written_is_what_is_read(model: TfliteModel) -> None:
    for one, other in zip(run_graph(model.graph, inputs()), run_graph(mixed_graph(), inputs()), strict=True):
        assert np.array_equal(one, other)


def test_tolerances_follow_the_layers(model: TfliteModel) -> None:
    assert output_tolerances(model.graph) == [HYBRID, STEPS, STEPS]
    exact = model.graph.with_(nodes=model.graph.nodes[1:3], inputs=("a",), outputs=("qb",))
    assert output_tolerances(exact) == [None]
    # A step of an integer in between is more than floats are off.
    behind = model.graph.with_(nodes=model.graph.nodes[:4], outputs=("b",))
    assert output_tolerances(behind) == [HYBRID]
    assert output_tolerances(model.graph.with_(nodes=model.graph.nodes[:1], outputs=("a",))) == [FLOAT]


@pytest.mark.parametrize("optimize", ["time", "balanced", "size"])
def test_host(model: TfliteModel, optimize: str) -> None:
    options = GenerateOptions(optimize=optimize, keep_input=optimize == "size")
    (result,) = verify(model, ["host"], inputs(), options)
    assert result.passed, result


def test_under_sanitizers(model: TfliteModel) -> None:
    engine = HostEngine(deploy(model, CORES["generic"], GenerateOptions()), sanitize=True)
    expected = run_graph(model.graph, inputs())
    result = compare("host", expected, engine.run(inputs()), output_tolerances(model.graph))
    assert result.passed, result


def test_least_ram(model: TfliteModel) -> None:
    """Bands leave float layers alone, and what comes out of a tight limit still is right."""
    options = GenerateOptions(ram=1)
    deployment = deploy_smallest(model, CORES["generic"], options)
    result = compare(
        "host",
        run_graph(model.graph, inputs()),
        HostEngine(deployment).run(inputs()),
        output_tolerances(model.graph),
    )
    assert result.passed, result


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an386", "mps2_an385_m0plus", "microbit"])
def test_boards(model: TfliteModel, board: str) -> None:
    (result,) = verify(model, [board], inputs(3), GenerateOptions())
    assert result.passed, result


def test_a_wrong_value_does_not_pass() -> None:
    expected = [np.array([[1.0, -2.0], [0.5, 3.0]], np.float32), np.array([[3, 4], [5, 6]], np.int8)]
    allowed = [FLOAT, STEPS]
    near = [expected[0] + np.float32(1e-5), expected[1] + np.int8(2)]
    far = [expected[0] + np.float32(1e-3), expected[1] + np.int8(3)]
    assert compare("near", expected, near, allowed).passed
    assert not compare("near", expected, near, allowed).identical
    assert compare("far", expected, far, allowed).mismatches == 8
    lost = [expected[0].copy(), expected[1]]
    lost[0][1, 0] = np.nan
    result = compare("lost", expected, lost, allowed)
    assert result.mismatches == 1 and result.first == (0, 1, 0)
    assert not compare("exact", expected, near).passed


def test_tolerances_follow_states_into_the_next_run() -> None:
    """`held` is exact where it is made; what it was made of in the run before is not."""
    shape = (1, 3)
    tensors = [Tensor(name, shape) for name in ("x", "before", "between", "held", "after")]
    nodes = (
        Node("held", "relu", ReluAttrs(), ("before",), ("held",)),
        Node("between", "logistic", LogisticAttrs(), ("x",), ("between",)),
        Node("after", "relu", ReluAttrs(), ("between",), ("after",)),
    )
    zeros = np.zeros(shape, np.float32)
    graph = Graph("keeps", nodes, {t.name: t for t in tensors}, ("x",), ("held",))
    assert output_tolerances(replace(graph, inputs=("x", "before"))) == [None]
    exact = replace(graph, states=(State("before", "before", zeros),))
    assert output_tolerances(exact) == [None]
    assert output_tolerances(replace(graph, states=(State("before", "after", zeros),))) == [FLOAT]
