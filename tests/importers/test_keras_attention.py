"""Keras's attention layers: saved in each form and imported they are Keras's, and in int8 the oracles'."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.passes import prepare
from tests.conftest import one_in_four_is_quick
from tests.importers.keras_writer import archive_weights, functional, input_layer, layer, write_archive
from tests.keras_files import assert_int8_file_is_the_oracles

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras is not installed (pip install 'mcu-quant[test]')")
L = keras.layers
Tensor = Any
SAMPLES = 24
STEPS, SIZE, KEYS = 6, 8, 5
#: A fixed mask with a row in which nothing may be looked at.
HOLES = np.random.default_rng(3).random((1, STEPS, STEPS)) < 0.6
HOLES[0, 2] = False
HOLES[0, 4] = True
MOST_HEADS = np.arange(4) > 0


def on_one(call: Callable[[Tensor], Any], *shape: int) -> Callable[[], Any]:
    """A model of one input, by default STEPS rows of SIZE."""

    def build() -> Any:
        x = keras.Input(shape or (STEPS, SIZE))
        return keras.Model(x, call(x))

    return build


def on_two(call: Callable[[Tensor, Tensor], Any], size: int = SIZE) -> Callable[[], Any]:
    """Of two: STEPS rows of SIZE, KEYS rows of `size`."""

    def build() -> Any:
        x, y = keras.Input((STEPS, SIZE)), keras.Input((KEYS, size))
        return keras.Model([x, y], call(x, y))

    return build


def multi_head(**config: Any) -> Any:
    return L.MultiHeadAttention(2, 3, **config)


def grouped(heads: int, keys: int, **config: Any) -> Any:
    return L.GroupQueryAttention(4, heads, keys, **config)


def dot_product(x: Tensor, heads: int, keys: int, **options: Any) -> Tensor:
    """keras.ops.dot_product_attention of the rows themselves, and of their first numbers."""
    query = L.Reshape((STEPS, heads, -1))(x)
    key = query[:, :, :keys]
    return keras.ops.dot_product_attention(query, key, key + 0.5, **options)


def encoder(x: Tensor) -> Tensor:
    """A block of a transformer, with its positions."""
    places = L.Embedding(STEPS, SIZE)(keras.ops.arange(STEPS))
    x = x + places
    y = L.LayerNormalization()(x)
    x = L.Add()([x, multi_head()(y, y)])
    y = L.Dense(SIZE, activation="silu")(L.LayerNormalization()(x))  # TFLM has no GELU
    return L.GlobalAveragePooling1D()(x + y)


CASES: dict[str, Callable[[], Any]] = {
    "heads": on_one(lambda x: multi_head()(x, x)),
    "one_head": on_one(lambda x: L.MultiHeadAttention(1, 4)(x, x)),
    "without_bias": on_one(lambda x: multi_head(use_bias=False)(x, x)),
    "value_dim": on_one(lambda x: multi_head(value_dim=5, dropout=0.3)(x, x)),
    "output_shape": on_one(lambda x: multi_head(output_shape=5)(x, x)),
    "output_shapes": on_one(lambda x: multi_head(output_shape=(2, 3))(x, x)),
    "gate": on_one(lambda x: multi_head(use_gate=True)(x, x)),
    "cross": on_two(lambda x, y: multi_head()(x, y), 4),
    "query_value_key": on_two(lambda x, y: multi_head()(query=x, value=y, key=L.Dense(7)(y))),
    "causal": on_one(lambda x: multi_head()(x, x, use_causal_mask=True)),
    "causal_cross": on_two(lambda x, y: multi_head()(x, y, use_causal_mask=True)),
    "window": on_one(lambda x: multi_head(sliding_window=2)(x, x)),
    "window_causal": on_one(lambda x: multi_head(sliding_window=3)(x, x, use_causal_mask=True)),
    "mask": on_one(lambda x: multi_head()(x, x, attention_mask=HOLES)),
    "mask_and_causal": on_one(
        lambda x: multi_head()(x, x, attention_mask=HOLES | True, use_causal_mask=True)
    ),
    "scores": on_one(lambda x: multi_head()(x, x, return_attention_scores=True)),
    "scores_causal": on_one(
        lambda x: multi_head(dropout=0.1)(x, x, return_attention_scores=True, use_causal_mask=True)
    ),
    "axes_first": on_one(lambda x: multi_head(attention_axes=1)(x, x), 4, 3, 8),
    "axes_second": on_one(lambda x: multi_head(attention_axes=(2,))(x, x), 4, 3, 8),
    "axes_both": on_one(lambda x: multi_head()(x, x), 4, 3, 8),
    "grouped": on_one(lambda x: grouped(4, 2)(x, x)),
    "grouped_causal": on_one(lambda x: grouped(4, 2)(x, x, use_causal_mask=True)),
    "grouped_one": on_one(lambda x: grouped(2, 1, use_bias=False)(x, x)),
    "grouped_alike": on_one(lambda x: grouped(2, 2, use_gate=True)(x, x, attention_mask=HOLES)),
    "grouped_scores": on_one(
        lambda x: grouped(4, 2, sliding_window=2)(x, x, return_attention_scores=True, use_causal_mask=True)
    ),
    "attention": on_two(lambda x, y: L.Attention()([x, y])),
    "attention_scale": on_two(lambda x, y: L.Attention(use_scale=True, dropout=0.2)([x, y, L.Dense(8)(y)])),
    "attention_causal": on_one(lambda x: L.Attention()([x, x], use_causal_mask=True)),
    "attention_scores": on_two(lambda x, y: L.Attention()([x, y], return_attention_scores=True)),
    "attention_concat": on_two(lambda x, y: L.Attention(score_mode="concat")([x, y])),
    "attention_concat_scale": on_two(lambda x, y: L.Attention(score_mode="concat", use_scale=True)([x, y])),
    "additive": on_two(lambda x, y: L.AdditiveAttention()([x, y])),
    "additive_without_scale": on_two(lambda x, y: L.AdditiveAttention(use_scale=False)([x, y, y])),
    "additive_causal": on_one(lambda x: L.AdditiveAttention()([x, x], use_causal_mask=True)),
    "function": on_one(lambda x: dot_product(x, 2, 2)),
    "function_causal": on_one(lambda x: dot_product(x, 4, 4, is_causal=True, scale=0.3)),
    "function_grouped": on_one(lambda x: dot_product(x, 4, 2, is_causal=True)),
    "function_mask": on_one(
        lambda x: dot_product(x, 4, 2, mask=HOLES[None] | (np.arange(4) > 0)[:, None, None])
    ),
    "encoder": on_one(encoder),
}
NAMES = [pytest.param(name, marks=one_in_four_is_quick(index)) for index, name in enumerate(CASES)]


def model_of(name: str) -> Any:
    keras.utils.set_random_seed(1)
    model = CASES[name]()
    rng = np.random.default_rng(2)
    model.set_weights([w + rng.normal(0, 0.3, w.shape) for w in model.get_weights()])
    return model


def inputs_of(model: Any) -> list[np.ndarray]:
    """[SAMPLES, 1, *shape] for each."""
    rng = np.random.default_rng(4)
    return [rng.normal(0, 1, (SAMPLES, 1, *x.shape[1:])).astype(np.float32) for x in model.inputs]


def assert_is_keras(graph: Graph, model: Any) -> None:
    samples = inputs_of(model)
    given = [x[:, 0] for x in samples]
    expected = model(given if len(given) > 1 else given[0], training=False)
    found = run_graph(graph, samples)
    for mine, theirs in zip(
        found, expected if isinstance(expected, list | tuple) else [expected], strict=True
    ):
        np.testing.assert_allclose(mine[:, 0], np.asarray(theirs), rtol=2e-5, atol=2e-5)  # other sums


@pytest.mark.parametrize("name", NAMES)
def test_float_graph_is_keras(name: str, tmp_path: Path) -> None:
    model = model_of(name)
    assert_is_keras(load_keras_model(model), model)
    assert_is_keras(prepare(load_keras_model(model)), model)
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        assert_is_keras(load_keras_file(tmp_path / f"m.{suffix}"), model)


@pytest.mark.parametrize("name", NAMES)
def test_int8_file_is_the_oracles(name: str) -> None:
    model = model_of(name)
    assert_int8_file_is_the_oracles(load_keras_model(model), inputs_of(model))


def test_inside_models(tmp_path: Path) -> None:
    """A layer in a model in a model, and one layer called twice."""
    x = keras.Input((STEPS, SIZE))
    inner = keras.Model(x, multi_head(name="look")(x, x), name="inner")
    shared = multi_head(name="shared")
    model = keras.Model(x, shared(inner(x), shared(x, x)))
    for suffix in ("keras", "h5"):
        model.save(tmp_path / f"m.{suffix}")
        assert_is_keras(load_keras_file(tmp_path / f"m.{suffix}"), model)


def test_operators_of_a_head() -> None:
    """Queries and keys move as rows, values once; nothing else moves."""
    graph = prepare(load_keras_model(model_of("heads")))
    ops = [node.op for node in graph.nodes]
    assert (ops.count("fully_connected"), ops.count("transpose"), ops.count("batch_matmul")) == (4, 4, 2)
    (softmax,) = (node for node in graph.nodes if node.op == "softmax")
    assert softmax.attrs.beta == pytest.approx(1 / math.sqrt(3))


def test_groups_share_their_keys() -> None:
    """Keys are not repeated: each of two heads has the rows of its two queries in one product."""
    graph = load_keras_model(model_of("grouped"))
    shapes = [graph.tensors[n.outputs[0]].shape for n in graph.nodes if n.op == "batch_matmul"]
    assert shapes == [(1, 2, 2 * STEPS, STEPS), (1, 2, 2 * STEPS, 4)]


def test_keras_2_archive(tmp_path: Path) -> None:
    """Layers inside have names with an underscore, and the call's tensors are in its keywords."""
    rng = np.random.default_rng(6)
    shapes = {"query": (8, 2, 3), "key": (8, 2, 3), "value": (8, 2, 3), "output": (2, 3, 8)}
    parts = {
        name: [rng.normal(size=s), rng.normal(size=s[1:] if name != "output" else s[2:])]
        for name, s in shapes.items()
    }
    call = [[["x", 0, 0, {"value": ["x", 0, 0], "use_causal_mask": True}]]]
    config = {"num_heads": 2, "key_dim": 3, "use_bias": True, "attention_axes": None, "output_shape": None}
    document = functional(
        [input_layer("x", STEPS, SIZE), layer("MultiHeadAttention", "look", call, **config)], "x", "look"
    )
    groups = {f"layers/multi_head_attention/_{name}_dense": part for name, part in parts.items()}
    graph = load_keras_file(write_archive(tmp_path / "m.keras", document, archive_weights(groups)))
    x = keras.Input((STEPS, SIZE))
    model = keras.Model(x, multi_head()(x, x, use_causal_mask=True))
    model.set_weights([array for part in parts.values() for array in part])
    assert_is_keras(graph, model)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "computed_mask": (
        on_two(
            lambda x, y: multi_head()(
                x, x, attention_mask=keras.ops.matmul(x, keras.ops.swapaxes(x, 1, 2)) > 0
            )
        ),
        "attention_mask must be constant",
    ),
    "padding": (
        on_one(lambda x: L.Attention()([x, x], mask=[x[..., 0] > 0, x[..., 0] > 0])),
        "which steps are padding",
    ),
    "mask_of_samples": (
        on_one(lambda x: multi_head()(x, x, attention_mask=np.zeros((2, STEPS, STEPS), bool))),
        "a mask must fit the scores",
    ),
    "masking": (
        on_one(lambda x: (y := L.Masking()(x)) is None or multi_head()(y, y)),
        "no form for this layer",
    ),
    "bias": (on_one(lambda x: dot_product(x, 2, 2, bias=np.ones((1, 2, STEPS, STEPS)))), "no bias"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    build, rule = REFUSED[name]
    with pytest.raises(UnsupportedModelError, match=rule) as caught:
        load_keras_model(build())
    assert all(problem.layer and problem.hint for problem in caught.value.problems)


def test_lost_weights(tmp_path: Path) -> None:
    config = {"num_heads": 2, "key_dim": 3, "use_bias": True}
    call = [[["x", 0, 0, {"value": ["x", 0, 0]}]]]
    document = functional(
        [input_layer("x", STEPS, SIZE), layer("MultiHeadAttention", "look", call, **config)], "x", "look"
    )
    with pytest.raises(InvalidModelError, match=r"8 weights \(query kernel, query bias"):
        load_keras_file(write_archive(tmp_path / "m.keras", document, archive_weights({})))
