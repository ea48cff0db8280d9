"""Files of Keras 2, written by hand as its versions write them; what they mean is computed in numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcu_quant.errors import UnsupportedModelError
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from tests.importers.keras_writer import (
    archive_weights,
    functional,
    input_layer,
    layer,
    sequential,
    write_archive,
    write_legacy,
)

RNG = np.random.default_rng(5)
K1, B1 = RNG.normal(size=(4, 3)).astype(np.float32), RNG.normal(size=3).astype(np.float32)
K2, B2 = RNG.normal(size=(3, 2)).astype(np.float32), RNG.normal(size=2).astype(np.float32)
X = RNG.normal(size=(5, 4)).astype(np.float32)

DENSE = {"activation": "linear", "use_bias": True}
TWO_DENSE = functional(
    [
        input_layer("input_1", 4),
        layer("Dense", "first", "input_1", units=3, **DENSE),
        layer("Dense", "second", "first", units=2, **DENSE),
    ],
    "input_1",
    "second",
)
TWO_DENSE_Y = (X @ K1 + B1) @ K2 + B2


def run(graph: Graph, *inputs: np.ndarray) -> list[np.ndarray]:
    """Outputs as [N, …], without the batch of 1."""
    return [y[:, 0] for y in run_graph(graph, [x[:, None] for x in inputs])]


def assert_near(got: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)  # float32 sums of a few products


#: Where Keras 2 puts the second Dense of a model: 2.12 and 2.13 count each layer with weights twice.
ARCHIVE_LAYOUTS = {
    "keras_2_12_linux": "_layer_checkpoint_dependencies/dense{}",
    "keras_2_12_windows": "_layer_checkpoint_dependencies\\dense{}",
    "keras_2_14": "layers/dense{}",
}


@pytest.mark.parametrize("layout", ARCHIVE_LAYOUTS)
def test_keras_2_archive(layout: str, tmp_path: Path) -> None:
    second = "_1" if layout == "keras_2_14" else "_2"
    names = (ARCHIVE_LAYOUTS[layout].format(suffix) for suffix in ("", second))
    groups = dict(zip(names, ([K1, B1], [K2, B2]), strict=True))
    graph = load_keras_file(write_archive(tmp_path / "m.keras", TWO_DENSE, archive_weights(groups)))
    assert [node.name for node in graph.nodes] == ["first", "second"]
    assert_near(run(graph, X)[0], TWO_DENSE_Y)


def test_legacy_file_whatever_its_suffix(tmp_path: Path) -> None:
    path = write_legacy(tmp_path / "m.keras", TWO_DENSE, {"first": [K1, B1], "second": [K2, B2]})
    assert_near(run(load_keras_file(path), X)[0], TWO_DENSE_Y)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_other_float_types_become_float32(dtype: type, tmp_path: Path) -> None:
    weights = {"first": [K1.astype(dtype), B1.astype(dtype)], "second": [K2.astype(dtype), B2.astype(dtype)]}
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", TWO_DENSE, weights))
    assert {t.dtype for t in graph.tensors.values()} == {"float32"}
    np.testing.assert_allclose(run(graph, X)[0], TWO_DENSE_Y, atol=0.02)  # half precision of the weights


FIRST = {"first": [K1, B1]}
SEQUENTIAL_FORMS = {
    "batch_input_shape": sequential([layer("Dense", "first", units=3, batch_input_shape=[None, 4], **DENSE)]),
    "input_layer": sequential([input_layer("input_1", 4), layer("Dense", "first", units=3, **DENSE)]),
    "build_input_shape": sequential([layer("Dense", "first", units=3, **DENSE)], build_input_shape=[None, 4]),
    "bare_list": {
        "class_name": "Sequential",
        "config": [layer("Dense", "first", units=3, batch_input_shape=[None, 4], **DENSE)],
    },
    "build_config": {
        **sequential([layer("Dense", "first", units=3, **DENSE)]),
        "build_config": {"input_shape": [None, 4]},
    },
}


@pytest.mark.parametrize("form", SEQUENTIAL_FORMS)
def test_sequential(form: str, tmp_path: Path) -> None:
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", SEQUENTIAL_FORMS[form], FIRST))
    assert graph.inputs == ("input_1" if form == "input_layer" else "first_input",)
    assert_near(run(graph, X)[0], X @ K1 + B1)


def test_depthwise_groups_and_batch_norm_axis_list(tmp_path: Path) -> None:
    """groups: 1 in DepthwiseConv2D and axis: [3], both of which Keras 3 refuses."""
    kernel = RNG.normal(size=(1, 1, 3, 1)).astype(np.float32)
    norm = [RNG.uniform(0.5, 2, 3).astype(np.float32) for _ in range(4)]
    window = {"kernel_size": [1, 1], "strides": [1, 1], "dilation_rate": [1, 1], "padding": "valid"}
    document = functional(
        [
            input_layer("image", 2, 2, 3),
            layer("DepthwiseConv2D", "dw", "image", depth_multiplier=1, groups=1, use_bias=False, **window),
            layer("BatchNormalization", "bn", "dw", axis=[3], epsilon=0.001, center=True, scale=1),
        ],
        "image",
        "bn",
    )
    classes = {"dw": "DepthwiseConv2D", "bn": "BatchNormalization"}
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", document, {"dw": [kernel], "bn": norm}, classes))
    x = RNG.normal(size=(2, 2, 2, 3)).astype(np.float32)
    gamma, beta, mean, variance = norm
    assert_near(run(graph, x)[0], (x * kernel[0, 0, :, 0] - mean) / np.sqrt(variance + 0.001) * gamma + beta)


def function(name: str, symbol: str, inbound: object, /, **kwargs: object) -> dict[str, object]:
    """A TFOpLambda: its first argument is in the node, the others in the node's dictionary."""
    class_name = "SlicingOpLambda" if symbol == "__operators__.getitem" else "TFOpLambda"
    if isinstance(inbound, str):
        node: list[object] = [inbound, 0, 0, kwargs]
    else:
        node = [[n, 0, 0, kwargs] for n in inbound]  # type: ignore[attr-defined]
    return layer(class_name, name, [node], function=symbol, dtype="float32")


V = RNG.uniform(0.5, 2, 3).astype(np.float32)
IMAGE = RNG.normal(size=(2, 4, 2, 3)).astype(np.float32)
SLICE_ALL = {"start": None, "stop": None, "step": None}
#: TensorFlow symbol → (arguments, what it means).
FUNCTIONS = {
    "math.add": ({"y": 1.5, "name": None}, lambda x: x + 1.5),
    "__operators__.add": ({"y": V.tolist(), "name": None}, lambda x: x + V),
    "math.subtract": ({"y": 0.5}, lambda x: x - 0.5),
    "math.multiply": ({"y": V.tolist()}, lambda x: x * V),
    "math.truediv": ({"y": 127.5}, lambda x: x / 127.5),
    "math.maximum": ({"y": 0.0}, lambda x: np.maximum(x, 0)),
    "math.minimum": ({"y": 0.25}, lambda x: np.minimum(x, 0.25)),
    "clip_by_value": ({"clip_value_min": 0.0, "clip_value_max": 6.0}, lambda x: np.clip(x, 0, 6)),
    "nn.relu": ({}, lambda x: np.maximum(x, 0)),
    "nn.relu6": ({}, lambda x: np.clip(x, 0, 6)),
    "nn.leaky_relu": ({"alpha": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
    "math.sigmoid": ({}, lambda x: 1 / (1 + np.exp(-x))),
    "math.tanh": ({}, np.tanh),
    "nn.softmax": ({"axis": -1}, lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    "reshape": ({"shape": [-1, 8, 3]}, lambda x: x.reshape(-1, 8, 3)),
    "expand_dims": ({"axis": 1}, lambda x: x[:, None]),
    "math.reduce_mean": ({"axis": [1, 2], "keepdims": True}, lambda x: x.mean((1, 2), keepdims=True)),
    "identity": ({}, lambda x: x),
    "cast": ({"dtype": "float32"}, lambda x: x),
    "__operators__.getitem": (
        {
            "slice_spec": [
                SLICE_ALL,
                {"start": 1, "stop": None, "step": 2},
                SLICE_ALL,
                {**SLICE_ALL, "stop": 2},
            ]
        },
        lambda x: x[:, 1::2, :, :2],
    ),
}


@pytest.mark.parametrize("symbol", FUNCTIONS)
def test_tensorflow_function(symbol: str, tmp_path: Path) -> None:
    kwargs, meaning = FUNCTIONS[symbol]
    document = functional([input_layer("i", 4, 2, 3), function("f", symbol, "i", **kwargs)], "i", "f")
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", document, {}))
    assert_near(run(graph, IMAGE)[0] if graph.nodes else IMAGE, meaning(IMAGE))


TENSOR_FUNCTIONS = {
    "math.add": np.add,
    "math.subtract": np.subtract,
    "math.multiply": np.multiply,
    "math.maximum": np.maximum,
    "math.minimum": np.minimum,
}


@pytest.mark.parametrize("symbol", TENSOR_FUNCTIONS)
def test_tensorflow_function_of_two_tensors(symbol: str, tmp_path: Path) -> None:
    layers = [
        input_layer("i", 4, 2, 3),
        input_layer("j", 4, 2, 3),
        function("f", symbol, "i", y=["j", 0, 0], name=None),
    ]
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", functional(layers, ["i", "j"], "f"), {}))
    other = IMAGE[::-1] * 2
    assert_near(run(graph, IMAGE, other)[0], TENSOR_FUNCTIONS[symbol](IMAGE, other))


def test_constant_first(tmp_path: Path) -> None:
    node = ["_CONSTANT_VALUE", -1, 2.0, {"y": ["i", 0, 0], "name": None}]
    document = functional(
        [input_layer("i", 4, 2, 3), layer("TFOpLambda", "f", [node], function="math.subtract")], "i", "f"
    )
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", document, {}))
    assert_near(run(graph, IMAGE)[0], 2.0 - IMAGE)


def test_concat_of_a_list(tmp_path: Path) -> None:
    document = functional(
        [
            input_layer("i", 4, 2, 3),
            function("a", "nn.relu", "i"),
            function("c", "concat", ["i", "a"], axis=-1),
        ],
        "i",
        "c",
    )
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", document, {}))
    assert_near(run(graph, IMAGE)[0], np.concatenate([IMAGE, np.maximum(IMAGE, 0)], -1))


def test_a_chain_of_scalings_is_one(tmp_path: Path) -> None:
    """x / 127.5 - 1, as preprocessing is written, is one affine map."""
    document = functional(
        [
            input_layer("i", 4, 2, 3),
            function("divide", "math.truediv", "i", y=127.5),
            function("shift", "math.subtract", "divide", y=1.0),
        ],
        "i",
        "shift",
    )
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", document, {}))
    assert [node.name for node in graph.nodes] == ["shift"]
    assert_near(run(graph, IMAGE)[0], IMAGE / 127.5 - 1)


@pytest.mark.parametrize("first_node", [0, 1])
def test_nested_model_called_twice(first_node: int, tmp_path: Path) -> None:
    """Keras 2 may count a nested model's construction as its node 0."""
    inner = functional(
        [input_layer("inner_input", 4), layer("Dense", "d", "inner_input", units=4, **DENSE)],
        "inner_input",
        "d",
        "inner",
    )
    kernel = RNG.normal(size=(4, 4)).astype(np.float32)
    bias = RNG.normal(size=4).astype(np.float32)
    nested = {**inner, "name": "inner", "inbound_nodes": [[["i", 0, 0, {}]], [["inner", first_node, 0, {}]]]}
    outer = functional([input_layer("i", 4), nested], "i", [["inner", first_node + 1, 0]])
    path = tmp_path / "m.h5"
    write_legacy(path, outer, {"inner": []})
    _put_nested_weights(path, kernel, bias)
    graph = load_keras_file(path)
    assert [node.name for node in graph.nodes] == ["inner/d", "inner/d_1"]
    assert_near(run(graph, X)[0], (X @ kernel + bias) @ kernel + bias)


def _put_nested_weights(path: Path, kernel: np.ndarray, bias: np.ndarray) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        group = file["model_weights/inner"]
        group.attrs["weight_names"] = [b"d/kernel:0", b"d/bias:0"]
        group["d/kernel:0"], group["d/bias:0"] = kernel, bias


def test_attributes_split_over_several(tmp_path: Path) -> None:
    """Lists beyond HDF5's 64 kB for an attribute are written as weight_names0, weight_names1, …"""
    import h5py

    path = write_legacy(tmp_path / "m.h5", TWO_DENSE, {"first": [K1, B1], "second": [K2, B2]})
    with h5py.File(path, "a") as file:
        attrs = file["model_weights/first"].attrs
        del attrs["weight_names"]
        attrs["weight_names0"], attrs["weight_names1"] = [b"first/kernel:0"], [b"first/bias:0"]
    assert_near(run(load_keras_file(path), X)[0], TWO_DENSE_Y)


def test_order_of_inputs_and_outputs(tmp_path: Path) -> None:
    layers = [
        input_layer("b", 4),
        input_layer("a", 4),
        function("minus", "math.subtract", "a", y=["b", 0, 0]),
        function("relu", "nn.relu", "b"),
    ]
    document = functional(layers, ["a", "b"], ["relu", "minus"])
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", document, {}))
    assert graph.inputs == ("a", "b")
    relu, minus = run(graph, X, 2 * X)
    assert_near(relu, np.maximum(2 * X, 0))
    assert_near(minus, -X)


def lstm_of(x: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """The hidden state at every step, [N, steps, units]; gates input, forget, cell, output."""
    hidden = cell = np.zeros((len(x), recurrent.shape[0]))
    steps = []
    for step in range(x.shape[1]):
        sums = x[:, step] @ kernel + hidden @ recurrent + bias
        i, f, g, o = np.split(sums, 4, axis=1)
        cell = cell / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        hidden = np.tanh(cell) / (1 + np.exp(-o))
        steps.append(hidden)
    return np.stack(steps, axis=1)


#: What Keras 2.11 writes of an LSTM layer.
LSTM = {
    "return_sequences": True,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
    "unroll": False,
    "time_major": False,
    "units": 3,
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "use_bias": True,
    "unit_forget_bias": True,
    "dropout": 0.0,
    "recurrent_dropout": 0.0,
    "implementation": 2,
}


def lstm_weights() -> list[np.ndarray]:
    return [RNG.normal(0, 0.5, shape).astype(np.float32) for shape in ((2, 12), (3, 12), (12,))]


@pytest.mark.parametrize("form", ["h5", "keras_2_12", "keras_2_14"])
def test_both_ways_without_a_backward_layer_of_its_own(form: str, tmp_path: Path) -> None:
    forward, backward = lstm_weights(), lstm_weights()
    inner = layer("LSTM", "memory", **LSTM)
    document = functional(
        [
            input_layer("rows", 5, 2),
            layer("Bidirectional", "both", "rows", layer=inner, merge_mode="concat"),
        ],
        "rows",
        "both",
    )
    if form == "h5":
        path = write_legacy(tmp_path / "m.h5", document, {"both": [*forward, *backward]})
    else:
        container = "layers" if form == "keras_2_14" else "_layer_checkpoint_dependencies"
        group = f"{container}/bidirectional"
        groups = {f"{group}/forward_layer/cell": forward, f"{group}/backward_layer/cell": backward}
        path = write_archive(tmp_path / "m.keras", document, archive_weights(groups))
    x = RNG.normal(size=(4, 5, 2)).astype(np.float32)
    there, back = lstm_of(x, *forward), lstm_of(x[:, ::-1], *backward)[:, ::-1]
    assert_near(run(load_keras_file(path), x)[0], np.concatenate([there, back], axis=-1))


def test_hard_sigmoid_of_old_files_is_refused_by_name(tmp_path: Path) -> None:
    config = {**LSTM, "recurrent_activation": "hard_sigmoid"}
    layers = [input_layer("rows", 5, 2), layer("LSTM", "memory", "rows", **config)]
    path = write_legacy(tmp_path / "m.h5", functional(layers, "rows", "memory"), {"memory": lstm_weights()})
    with pytest.raises(UnsupportedModelError, match=r"memory.*recurrent_activation.*hard_sigmoid"):
        load_keras_file(path)
