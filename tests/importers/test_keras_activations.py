"""Every activation function and layer of Keras: our float meaning is Keras's, and int8 is near it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.deployment import GenerateOptions
from mcu_quant.importers.keras_config import parse_model
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.keras import GraphBuilder, LayerRefused
from mcu_quant.ops.tolerance import output_tolerances
from mcu_quant.optimize import optimize
from mcu_quant.pipeline import quantize, verify
from mcu_quant.quantize_options import QuantizeOptions
from mcu_quant.samples import default_inputs, dequantize
from tests.oracles import tflm

NAMES = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "swish",
    "hard_silu",
    "hard_swish",
    "hard_sigmoid",
    "hard_tanh",
    "hard_shrink",
    "soft_shrink",
    "softplus",
    "softsign",
    "exponential",
    "mish",
    "log_sigmoid",
    "tanh_shrink",
    "squareplus",
    "sparse_plus",
    "sparse_sigmoid",
    "sigmoid",
    "tanh",
    "linear",
)
#: TFLM has no such operator.
NOT_IN_TFLM = ("gelu",)
LAYERS: dict[str, Callable[[Any], Any]] = {
    "elu": lambda k: k.ELU(alpha=0.7),
    "elu_1": lambda k: k.ELU(),
    "leaky_relu": lambda k: k.LeakyReLU(negative_slope=0.15),
    "prelu": lambda k: k.PReLU(alpha_initializer="random_normal"),
    "prelu_channels": lambda k: k.PReLU(alpha_initializer="random_normal", shared_axes=[1, 2]),
    "relu_max": lambda k: k.ReLU(max_value=2.5),
    "relu_slope": lambda k: k.ReLU(negative_slope=0.2),
    "relu_threshold": lambda k: k.ReLU(max_value=2.5, negative_slope=0.2, threshold=0.4),
    "softmax": lambda k: k.Softmax(),
    "softmax_rows": lambda k: k.Softmax(axis=1),
    "softmax_two_axes": lambda k: k.Softmax(axis=(1, 3)),
}
SHAPE = (5, 4, 3)


def inputs(count: int = 30) -> np.ndarray:
    x = 3 * np.random.default_rng(0).normal(size=(count, *SHAPE)).astype(np.float32)
    x[0], x[1], x[2, 0, 0] = 0.0, 1.0, (-1.0, 0.5, -0.5)
    return x


def model_of(*layers: Any) -> Any:
    keras = pytest.importorskip("keras")
    return keras.Sequential([keras.Input(SHAPE), *layers])


def graph_and_expected(model: Any, x: np.ndarray) -> tuple[Graph, np.ndarray]:
    return load_keras_model(model), np.asarray(model(x))


@pytest.mark.parametrize("name", NAMES)
def test_name(name: str) -> None:
    layers = pytest.importorskip("keras").layers
    x = inputs()
    graph, expected = graph_and_expected(model_of(layers.Activation(name)), x)
    np.testing.assert_allclose(run_graph(graph, [x[:, None]])[0][:, 0], expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    layers = pytest.importorskip("keras").layers
    x = inputs()
    graph, expected = graph_and_expected(model_of(LAYERS[name](layers)), x)
    np.testing.assert_allclose(run_graph(graph, [x[:, None]])[0][:, 0], expected, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "parameters", "meaning"),
    [
        ("threshold", {"threshold": 0.5, "default_value": -2.0}, lambda x: np.where(x > 0.5, x, -2.0)),
        ("elu", {"alpha": 0.3}, lambda x: np.where(x > 0, x, 0.3 * np.expm1(x))),
        ("celu", {"alpha": 2.0}, lambda x: np.where(x > 0, x, 2 * np.expm1(x / 2))),
        ("squareplus", {"b": 0.5}, lambda x: (x + np.sqrt(x * x + 0.5)) / 2),
        ("hard_shrink", {"threshold": 1.5}, lambda x: np.where(np.abs(x) > 1.5, x, 0)),
        ("soft_shrink", {"threshold": 1.5}, lambda x: x - np.clip(x, -1.5, 1.5)),
        ("leaky_relu", {"negative_slope": 0.01}, lambda x: np.where(x > 0, x, 0.01 * x)),
        ("gelu", {"approximate": True}, lambda x: x / (1 + np.exp(-1.5957691216 * (x + 0.044715 * x**3)))),
    ],
)
def test_parameters(name: str, parameters: dict[str, Any], meaning: Callable[[Any], Any]) -> None:
    builder = GraphBuilder("m", OPERATORS)
    x = builder.input("x", (1, *SHAPE))
    y = builder.activation("layer", {"class_name": name, "config": parameters}, x)
    values = inputs()[:, None]
    (actual,) = run_graph(builder.graph([y]), [values])
    np.testing.assert_allclose(actual, meaning(values.astype(np.float64)), rtol=1e-5, atol=2e-6)


def test_large_inputs_overflow_nowhere() -> None:
    layers = pytest.importorskip("keras").layers
    x = np.resize(np.array([-500.0, 500.0, 90.0, -90.0], np.float32), (2, *SHAPE))
    for name in ("softplus", "mish", "log_sigmoid", "selu", "softsign", "squareplus", "gelu"):
        graph, expected = graph_and_expected(model_of(layers.Activation(name)), x)
        (actual,) = run_graph(graph, [x[:, None]])
        np.testing.assert_allclose(actual[:, 0], expected, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "linear"])
def test_int8_is_one_table_near_the_float_meaning(name: str) -> None:
    layers = pytest.importorskip("keras").layers
    x = inputs()
    graph, expected = graph_and_expected(model_of(layers.Activation(name)), x)
    model = quantize(graph, [x], QuantizeOptions())
    (source,), (target,) = model.graph.input_tensors(), model.graph.output_tensors()
    q = np.clip(np.rint(x / source.scale) + source.zero_point, -128, 127).astype(np.int8)[:, None]
    deployed = optimize(model.graph, GenerateOptions())
    assert len(deployed.nodes) == 1 and output_tolerances(model.graph) == [None]
    # Of the input as it is once it has been rounded: the table itself is half a step off, or a little more.
    (exact,) = run_graph(graph, [dequantize(q, source)])
    (actual,) = run_graph(model.graph, [q])
    limits = [(bound - target.zero_point) * target.scale for bound in (-128, 127)]
    error = np.abs(dequantize(actual, target) - np.clip(exact, *limits)).max() / target.scale
    assert error <= (1.6 if name in COARSER else 0.51), error
    if name not in NOT_IN_TFLM:
        (theirs,) = tflm(model.data, [q])
        assert np.abs(theirs.astype(int) - actual).max() <= 1
    (result,) = verify(model, ["host"], [q[:4]], GenerateOptions())
    assert result.identical
    assert np.abs(exact[:, 0] - expected).max() <= 2 * source.scale * max(1.0, float(np.abs(expected).max()))


#: Integer operators, which round more than once.
COARSER = {"silu", "swish", "hard_silu", "hard_swish", "hard_sigmoid", "tanh_shrink", "leaky_relu"}


def test_int16_agrees_with_tflm() -> None:
    layers = pytest.importorskip("keras").layers
    x = inputs()
    for name in ("mish", "hard_swish", "elu", "silu"):
        graph, _ = graph_and_expected(model_of(layers.Activation(name)), x)
        model = quantize(graph, [x], QuantizeOptions("int16x8"))
        given = default_inputs(model.graph, 4)
        (ours,), (theirs,) = run_graph(model.graph, given), tflm(model.data, given)
        assert np.abs(ours.astype(int) - theirs).max() <= 2, name


def test_a_hard_tanh_is_fused_where_that_can_be() -> None:
    layers = pytest.importorskip("keras").layers
    x = inputs()
    graph, _ = graph_and_expected(model_of(layers.Conv2D(4, 3, activation="hard_tanh")), x)
    model = quantize(graph, [x], QuantizeOptions())
    assert [node.op for node in model.graph.nodes] == ["conv_2d"]


@pytest.mark.parametrize(
    ("version", "expected"), [(None, 3), ("3.4.1", 3), ("2.15.0", 2), ("2.2.4-tf", 2), ("1.2", 2)]
)
def test_the_hard_sigmoid_is_that_of_the_model_s_keras(version: str | None, expected: int) -> None:
    layer = {"class_name": "InputLayer", "config": {"name": "x", "batch_input_shape": [None, 4]}}
    config = {"name": "m", "layers": [layer]}
    assert parse_model({"class_name": "Sequential", "config": config}, version).keras == expected
    builder = GraphBuilder("m", OPERATORS, keras=expected)
    y = builder.activation("gate", "hard_sigmoid", builder.input("x", (1, 5)))
    x = np.array([[[-3.0, -2.0, 0.0, 1.0, 2.7]]], np.float32)
    slope = 0.2 if expected == 2 else 1 / 6
    (actual,) = run_graph(builder.graph([y]), [x])
    np.testing.assert_allclose(actual, np.clip(slope * x + 0.5, 0, 1), rtol=1e-6, atol=1e-6)


def test_refusals() -> None:
    builder = GraphBuilder("m", OPERATORS)
    x = builder.input("x", (1, 5))
    with pytest.raises(LayerRefused, match="supported one"):
        builder.activation("layer", "no_such_function", x)
    for name, parameters in (
        ("elu", {"alpha": float("nan")}),
        ("celu", {"alpha": 0.0}),
        ("elu", {"alpha": [1, 2]}),
    ):
        with pytest.raises(LayerRefused, match="alpha must be one"):
            builder.activation("layer", {"class_name": name, "config": parameters}, x)
