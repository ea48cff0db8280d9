"""Layers that hold layers, and models that hold models, saved in each form, against Keras."""

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
from mcu_quant.importers.keras_time import MAX_STEPS
from mcu_quant.ops.interpreter import run_graph
from tests.graphs import assert_same_graph

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras is not installed (pip install 'mcu-quant[test]')")
L = keras.layers

FILM, SERIES = (3, 6, 5, 2), (4, 5)


def over_time(layer: Callable[[], Any], *shape: int) -> Callable[[], Any]:
    def build() -> Any:
        x = keras.Input(shape or FILM)
        return keras.Model(x, L.TimeDistributed(layer())(x))

    return build


def small_network() -> Any:
    return keras.Sequential(
        [keras.Input((6, 5, 2)), L.Conv2D(3, 3, activation="relu"), L.Flatten(), L.Dense(2)]
    )


def film() -> Any:
    x = keras.Input(FILM)
    y = L.TimeDistributed(L.Conv2D(3, 3, padding="same", activation="relu"))(x)
    y = L.TimeDistributed(L.BatchNormalization())(L.TimeDistributed(L.MaxPooling2D())(y))
    y = L.TimeDistributed(L.Flatten())(y)
    y = L.TimeDistributed(L.Dense(4, activation="tanh"))(y)
    return keras.Model(x, L.Conv1D(2, 2)(y))


def spectral() -> Any:
    x = keras.Input((6, 5, 2))
    y = L.SpectralNormalization(L.Conv2D(3, 2, activation="relu"))(x)
    return keras.Model(x, L.SpectralNormalization(L.Dense(2))(L.Flatten()(y)))


def dictionaries() -> Any:
    """A model with a dictionary of inputs and of outputs, called on one by another."""
    b, a = keras.Input((3,), name="b"), keras.Input((4,), name="a")
    inner = keras.Model({"b": b, "a": a}, L.Dense(2)(L.Concatenate()([b, a])), name="inner")
    first, second = keras.Input((4,), name="first"), keras.Input((3,), name="second")
    y = inner({"a": first, "b": second})
    return keras.Model({"first": first, "second": second}, {"y": y, "z": L.ReLU()(y)})


def several_outputs() -> Any:
    """A nested model of two outputs, called twice; a shared layer between."""
    x = keras.Input((4,))
    inner = keras.Model(x, [L.Dense(4, name="left")(x), L.Dense(4, name="right")(x)], name="fork")
    y = keras.Input((4,))
    shared = L.Dense(4, name="shared")
    left, right = inner(shared(y))
    again, _ = inner(shared(L.Add()([left, right])))
    return keras.Model(y, [again, right])


def functions_of_several() -> Any:
    """Functions with several outputs, inside a Sequential inside a Functional."""
    z = keras.Input((6,))
    parts = keras.ops.split(z, 3, axis=-1)
    inner = keras.Model(z, keras.ops.concatenate([parts[2], parts[0]], axis=-1))
    x = keras.Input((6,))
    return keras.Model(x, keras.Sequential([keras.Input((6,)), L.Dense(6), inner, L.Dense(2)])(x))


def einsum(equation: str, shape: tuple[int, ...], output: Any, **kwargs: Any) -> Any:
    def build() -> Any:
        x = keras.Input(shape)
        return keras.Model(x, L.EinsumDense(equation, output, **kwargs)(x))

    return build


def adaptive(layer: Callable[[], Any], *shape: int) -> Callable[[], Any]:
    def build() -> Any:
        x = keras.Input(shape)
        return keras.Model(x, layer()(x))

    return build


MODELS: dict[str, Callable[[], Any]] = {
    "dense": over_time(lambda: L.Dense(3, activation="relu"), *SERIES),
    "conv_2d": over_time(lambda: L.Conv2D(3, 2, strides=2)),
    "conv_1d": over_time(lambda: L.Conv1D(3, 2), 4, 7, 2),
    "pooling": over_time(lambda: L.GlobalAveragePooling2D()),
    "flatten": over_time(lambda: L.Flatten()),
    "reshape": over_time(lambda: L.Reshape((10, 6))),
    "batch_normalization": over_time(lambda: L.BatchNormalization(), *SERIES),
    "dropout": over_time(lambda: L.Dropout(0.5)),
    "time_of_time": over_time(lambda: L.TimeDistributed(L.Conv1D(2, 2)), 2, 3, 4, 2),
    "network": over_time(small_network),
    "one_step": over_time(lambda: L.Conv2D(3, 2), 1, 4, 4, 2),
    "film": film,
    "einsum_heads": einsum("btc,cnh->btnh", (6, 4), (None, 2, 3), bias_axes="nh", activation="relu"),
    "einsum_back": einsum("btnh,nhc->btc", (6, 2, 3), (None, 4), bias_axes="c"),
    "einsum_dots": einsum("...x,xy->...y", (6, 4), 3, bias_axes="y"),
    "einsum_own_bias": einsum("bhk,hkd->bhd", (3, 4), (3, 2), bias_axes="hd"),
    "einsum_part_bias": einsum("btc,cnh->btnh", (6, 4), (None, 2, 3), bias_axes="n"),
    "adaptive_max_1d": adaptive(lambda: L.AdaptiveMaxPooling1D(3), 6, 2),
    "adaptive_average_2d": adaptive(lambda: L.AdaptiveAveragePooling2D((3, 2)), 6, 8, 2),
    "spectral_normalization": spectral,
    "dictionaries": dictionaries,
    "several_outputs": several_outputs,
    "functions_of_several": functions_of_several,
}


def graph_inputs(model: Any) -> list[Any]:
    """In the order of our graph's: a dictionary's by its keys."""
    return (
        [model.input[key] for key in sorted(model.input)] if isinstance(model.input, dict) else model.inputs
    )


@pytest.mark.parametrize("name", MODELS)
def test_every_form_is_the_model(name: str, tmp_path: Path) -> None:
    model = MODELS[name]()
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.2, 1.0, w.shape) for w in model.get_weights()])
    graph = load_keras_model(model)
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        assert_same_graph(load_keras_file(tmp_path / f"m.{suffix}"), graph)
    samples = [rng.normal(size=(5, *tensor.shape[1:])).astype(np.float32) for tensor in graph_inputs(model)]
    given = dict(zip(graph.inputs, samples, strict=True)) if isinstance(model.input, dict) else samples
    expected = model(given if len(samples) > 1 else samples[0], training=False)
    expected = list(expected.values()) if isinstance(expected, dict) else expected
    expected = expected if isinstance(expected, list | tuple) else [expected]
    got = run_graph(graph, [x[:, None] for x in samples])
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine[:, 0], np.asarray(theirs), rtol=1e-5, atol=2e-5)


def test_too_many_steps_are_refused() -> None:
    model = over_time(lambda: L.Conv1D(2, 2), MAX_STEPS + 1, 4, 2)()
    with pytest.raises(UnsupportedModelError, match="steps"):
        load_keras_model(model)


def test_an_unsupported_layer_over_time_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedModelError, match="ConvLSTM1D"):
        load_keras_model(over_time(lambda: L.ConvLSTM1D(2, 2), 3, 2, 4, 2)())
