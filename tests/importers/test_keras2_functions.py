"""TensorFlow functions in files of Keras 2 (TFOpLambda), written by hand; their meaning is NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcu_quant.importers.keras_file import load_keras_file
from tests.importers.keras_writer import functional, input_layer, layer, write_legacy
from tests.importers.test_keras2_files import IMAGE, assert_near, function, run

KERNEL = np.random.default_rng(6).normal(size=(3, 4)).astype(np.float32)
PADDINGS = [[0, 0], [1, 0], [0, 2], [0, 0]]
POSITIVE = np.abs(IMAGE) + 0.25
Meaning = Callable[[np.ndarray], np.ndarray]


def _one_hot(x: np.ndarray) -> np.ndarray:
    return (np.argmax(x, -1)[..., None] == np.arange(3)).astype(np.float32)


#: Symbol → (arguments, what it means of POSITIVE [2, 4, 2, 3]).
SYMBOLS: dict[str, tuple[dict[str, Any], Meaning]] = {
    "math.abs": ({}, np.abs),
    "math.negative": ({}, np.negative),
    "__operators__.neg": ({}, np.negative),
    "math.square": ({}, np.square),
    "math.pow": ({"y": 2.0}, np.square),
    "math.sqrt": ({}, np.sqrt),
    "math.rsqrt": ({}, lambda x: 1 / np.sqrt(x)),
    "math.exp": ({}, np.exp),
    "math.log": ({}, np.log),
    "math.log1p": ({}, np.log1p),
    "math.sin": ({}, np.sin),
    "math.cos": ({}, np.cos),
    "math.floor": ({}, np.floor),
    "math.ceil": ({}, np.ceil),
    "math.round": ({}, np.round),
    "math.reciprocal": ({}, np.reciprocal),
    "math.softplus": ({}, lambda x: np.log1p(np.exp(x))),
    "nn.elu": ({}, lambda x: x),
    "nn.silu": ({}, lambda x: x / (1 + np.exp(-x))),
    "nn.log_softmax": ({"axis": -1}, lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
    "math.reduce_sum": ({"axis": [1, 2]}, lambda x: x.sum((1, 2))),
    "math.reduce_max": ({"axis": -1, "keepdims": True}, lambda x: x.max(-1, keepdims=True)),
    "math.reduce_min": ({"axis": 1}, lambda x: x.min(1)),
    "math.reduce_prod": ({"axis": 2}, lambda x: x.prod(2)),
    "math.reduce_std": ({"axis": [1, 2]}, lambda x: x.std((1, 2))),
    "math.reduce_variance": ({"axis": 1}, lambda x: x.var(1)),
    "math.reduce_logsumexp": ({"axis": -1}, lambda x: np.log(np.exp(x).sum(-1))),
    "math.cumsum": ({"axis": 1, "reverse": True}, lambda x: x[:, ::-1].cumsum(1)[:, ::-1]),
    "math.l2_normalize": ({"axis": -1}, lambda x: x / np.sqrt(np.square(x).sum(-1, keepdims=True))),
    "norm": ({"ord": "euclidean", "axis": -1}, lambda x: np.sqrt(np.square(x).sum(-1))),
    "transpose": ({"perm": [0, 2, 1, 3]}, lambda x: x.transpose(0, 2, 1, 3)),
    "compat.v1.transpose": ({"perm": [0, 3, 1, 2]}, lambda x: x.transpose(0, 3, 1, 2)),
    "tile": ({"multiples": [1, 2, 1, 1]}, lambda x: np.tile(x, (1, 2, 1, 1))),
    "repeat": ({"repeats": 2, "axis": 2}, lambda x: np.repeat(x, 2, 2)),
    "reverse": ({"axis": [1]}, lambda x: x[:, ::-1]),
    "roll": ({"shift": 1, "axis": 1}, lambda x: np.roll(x, 1, 1)),
    "pad": ({"paddings": PADDINGS}, lambda x: np.pad(x, PADDINGS)),
    "slice": ({"begin": [0, 1, 0, 1], "size": [-1, 2, 2, 2]}, lambda x: x[:, 1:3, :2, 1:3]),
    "gather": ({"indices": [2, 0], "axis": 3}, lambda x: x[..., [2, 0]]),
    "linalg.matmul": ({"b": KERNEL.tolist()}, lambda x: x @ KERNEL),
    "tensordot": ({"b": KERNEL.tolist(), "axes": 1}, lambda x: x @ KERNEL),
    "nn.avg_pool2d": (
        {"ksize": 2, "strides": [1, 2, 2, 1], "padding": "VALID"},
        lambda x: x.reshape(2, 2, 2, 1, 2, 3).mean((2, 4)),
    ),
    "where": ({"x": 1.0, "y": 0.0}, np.ones_like),
    "convert_to_tensor": ({"dtype": "float32"}, lambda x: x),
}  # fmt: skip


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_tensorflow_function(symbol: str, tmp_path: Path) -> None:
    kwargs, meaning = SYMBOLS[symbol]
    layers = [input_layer("i", 4, 2, 3), function("f", symbol, "i", **kwargs)]
    layers.append(function("g", "math.add", "f", y=["f", 0, 0]))
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", functional(layers, "i", "g"), {}))
    assert_near(run(graph, POSITIVE)[0], 2 * meaning(POSITIVE))


def test_function_with_several_outputs(tmp_path: Path) -> None:
    layers = [
        input_layer("i", 4, 2, 3),
        function("parts", "split", "i", num_or_size_splits=[1, 2], axis=-1),
        layer("TFOpLambda", "f", [["parts", 0, 1, {"y": ["parts", 0, 0]}]], function="math.multiply"),
    ]
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", functional(layers, "i", "f"), {}))
    assert_near(run(graph, IMAGE)[0], IMAGE[..., 1:] * IMAGE[..., :1])


def test_gate_by_a_comparison(tmp_path: Path) -> None:
    layers = [
        input_layer("i", 4, 2, 3),
        function("above", "math.greater", "i", y=0.5),
        function("gate", "cast", "above", dtype="float32"),
        function("f", "math.multiply", "i", y=["gate", 0, 0]),
    ]
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", functional(layers, "i", "f"), {}))
    assert_near(run(graph, IMAGE)[0], IMAGE * (IMAGE > 0.5))


def test_one_hot_of_the_largest(tmp_path: Path) -> None:
    layers = [
        input_layer("i", 4, 2, 3),
        function("largest", "math.argmax", "i", axis=-1),
        function("f", "one_hot", "largest", depth=3, axis=-1),
    ]
    graph = load_keras_file(write_legacy(tmp_path / "m.h5", functional(layers, "i", "f"), {}))
    assert_near(run(graph, IMAGE)[0], _one_hot(IMAGE))
