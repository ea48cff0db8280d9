"""Recurrent layers, saved in each form, against Keras."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import UnsupportedModelError
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.importers.keras_recurrent import CELLS
from mcu_quant.ops.interpreter import run_graph
from tests.graphs import assert_same_graph

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras is not installed (pip install 'mcu-quant[test]')")
L = keras.layers

SHAPE = (6, 3)
Layer = Callable[..., Any]
#: What is made of a layer class and of its cell's class.
MODELS: dict[str, Callable[[Layer, Layer, Any], Any]] = {
    "last_step": lambda layer, cell, x: layer(4)(x),
    "sequence": lambda layer, cell, x: layer(4, return_sequences=True, use_bias=False)(x),
    "sequence_and_state": lambda layer, cell, x: layer(4, return_sequences=True, return_state=True)(x),
    "last_step_and_state": lambda layer, cell, x: layer(4, return_state=True)(x),
    "backwards": lambda layer, cell, x: layer(4, return_sequences=True, go_backwards=True)(x),
    "unrolled_with_dropout": lambda layer, cell, x: layer(4, unroll=True, dropout=0.2)(x),
    "both_ways": lambda layer, cell, x: L.Bidirectional(layer(4, return_sequences=True))(x),
    "both_ways_last": lambda layer, cell, x: L.Bidirectional(layer(4))(x),
    "both_ways_sum": lambda layer, cell, x: L.Bidirectional(layer(4), merge_mode="sum")(x),
    "both_ways_mul": lambda layer, cell, x: L.Bidirectional(layer(4), merge_mode="mul")(x),
    "both_ways_ave": lambda layer, cell, x: L.Bidirectional(layer(4), merge_mode="ave")(x),
    "both_ways_apart": lambda layer, cell, x: L.Bidirectional(layer(4), merge_mode=None)(x),
    "both_ways_states": lambda layer, cell, x: L.Bidirectional(layer(4, return_state=True))(x),
    "other_way_back": lambda layer, cell, x: L.Bidirectional(
        layer(4), backward_layer=layer(5, go_backwards=True)
    )(x),
    "cell": lambda layer, cell, x: L.RNN(cell(4), return_sequences=True)(x),
    "stack_of_cells": lambda layer, cell, x: L.RNN([cell(4), cell(2), cell(3)])(x),
    "both_ways_stacks": lambda layer, cell, x: L.Bidirectional(L.RNN([cell(4), cell(2)]))(x),
    "stacked": lambda layer, cell, x: layer(3)(layer(4, return_sequences=True)(x)),
    "nested": lambda layer, cell, x: keras.Sequential(
        [keras.Input(SHAPE), L.Bidirectional(layer(4, return_sequences=True)), layer(2)]
    )(x),
    "over_time": lambda layer, cell, x: L.TimeDistributed(layer(2))(L.Reshape((2, 3, 3))(x)),
}


def randomized(model: Any) -> Any:
    rng = np.random.default_rng(5)
    model.set_weights([rng.normal(0, 0.5, weight.shape) for weight in model.get_weights()])
    return model


def classes(kind: str) -> tuple[Layer, Layer]:
    return getattr(L, kind), getattr(L, f"{kind}Cell")


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", sorted(CELLS))
def test_every_form_is_the_model(kind: str, name: str, tmp_path: Path) -> None:
    x = keras.Input(SHAPE)
    model = randomized(keras.Model(x, MODELS[name](*classes(kind), x)))
    graph = load_keras_model(model)
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        assert_same_graph(load_keras_file(tmp_path / f"m.{suffix}"), graph)
    samples = np.random.default_rng(6).normal(size=(5, *SHAPE)).astype(np.float32)
    expected = keras.tree.flatten(model(samples))
    got = run_graph(graph, [samples[:, None]])
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine[:, 0], np.asarray(theirs), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", sorted(CELLS))
def test_stateful_layers_keep_their_states(kind: str, tmp_path: Path) -> None:
    layer, _ = classes(kind)
    x = keras.Input(batch_shape=(1, *SHAPE))
    y = L.Bidirectional(layer(4, stateful=True, return_sequences=True))(x)
    model = keras.Model(x, L.Dense(2)(layer(3, stateful=True)(y)))
    rng = np.random.default_rng(7)
    for part in model.layers:
        part.set_weights([rng.normal(0, 0.5, weight.shape) for weight in part.get_weights()])
    samples = rng.normal(size=(20, *SHAPE)).astype(np.float32)
    graph = load_keras_model(model)
    expected = np.concatenate([model(samples[i : i + 1]) for i in range(len(samples))])
    model.save(tmp_path / "m.keras")
    assert len(load_keras_file(tmp_path / "m.keras").states) == len(graph.states) > 0
    np.testing.assert_allclose(run_graph(graph, [samples[:, None]])[0][:, 0], expected, rtol=1e-5, atol=1e-6)


#: What to refuse of an LSTM, and a part of the words.
REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "activation": (lambda x: L.LSTM(2, activation="relu")(x), "activation of the cell must be tanh"),
    "hard_sigmoid": (
        lambda x: L.LSTM(2, recurrent_activation="hard_sigmoid")(x),
        "recurrent_activation of the cell must be sigmoid",
    ),
    "initial_state": (
        lambda x: L.LSTM(2)(x, initial_state=[L.Dense(2)(L.Flatten()(x)) for _ in range(2)]),
        "initial_state",
    ),
    "mask": (lambda x: L.LSTM(2)(x, mask=keras.ops.greater(x[:, :, 0], 0.0)), "mask"),
    "states_of_a_stack": (
        lambda x: L.RNN([L.LSTMCell(2), L.LSTMCell(3)], return_state=True)(x)[0],
        "may not return its states",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str) -> None:
    build, words = REFUSED[name]
    x = keras.Input(SHAPE)
    with pytest.raises(UnsupportedModelError, match=words) as caught:
        load_keras_model(keras.Model(x, build(x)))
    assert all(problem.hint for problem in caught.value.problems)
