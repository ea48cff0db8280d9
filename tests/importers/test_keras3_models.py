"""Models of Keras 3, saved in each form and imported, against Keras itself.

One module, because importing Keras is slow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.importers.saved_model import load_saved_model
from mcu_quant.ir import Graph
from mcu_quant.ops.interpreter import run_graph
from tests.graphs import assert_same_graph

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras is not installed (pip install 'mcu-quant[test]')")
L = keras.layers
Tensor = Any


def image(layer: Any, *shape: int) -> Callable[[], Any]:
    """A model of one layer on images, by default 9 × 8 × 4; a function where layers are made anew."""

    def build() -> Any:
        x = keras.Input(shape or (9, 8, 4), name="image")
        return keras.Model(x, layer()(x))

    return build


def signal(layer: Any) -> Callable[[], Any]:
    return image(layer, 11, 4)


LAYERS: dict[str, Callable[[], Any]] = {
    "conv_1d": signal(lambda: L.Conv1D(5, 3, strides=2, padding="same")),
    "conv_1d_causal": signal(lambda: L.Conv1D(5, 3, padding="causal", dilation_rate=2, activation="relu")),
    "conv_1d_groups": signal(lambda: L.Conv1D(6, 3, groups=2, use_bias=False)),
    "conv_2d": image(lambda: L.Conv2D(5, (3, 2), strides=(2, 3), padding="same", activation="relu6")),
    "conv_2d_dilated": image(lambda: L.Conv2D(5, 3, dilation_rate=(2, 1))),
    "conv_2d_groups": image(lambda: L.Conv2D(6, 3, groups=2, padding="same")),
    "depthwise_1d": signal(lambda: L.DepthwiseConv1D(3, depth_multiplier=2)),
    "depthwise_2d": image(lambda: L.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=3)),
    "depthwise_2d_dilated": image(lambda: L.DepthwiseConv2D(3, dilation_rate=2, use_bias=False)),
    "transposed_1d": signal(lambda: L.Conv1DTranspose(5, 4, strides=2, padding="same")),
    "transposed_2d": image(lambda: L.Conv2DTranspose(5, 3, strides=2, output_padding=1, activation="relu")),
    "separable_1d": signal(lambda: L.SeparableConv1D(5, 3, padding="same", activation="tanh")),
    "separable_2d": image(lambda: L.SeparableConv2D(5, 3, strides=2, depth_multiplier=2)),
    "dense": image(lambda: L.Dense(3, activation="sigmoid"), 7),
    "dense_on_images": image(lambda: L.Dense(3, activation="softmax")),
    "batch_norm": image(lambda: L.BatchNormalization()),
    "batch_norm_without_scale": image(lambda: L.BatchNormalization(scale=False, epsilon=0.1)),
    "batch_norm_without_center": image(lambda: L.BatchNormalization(center=False)),
    "layer_norm": image(lambda: L.LayerNormalization(axis=[2, 3])),
    "layer_norm_without_center": signal(lambda: L.LayerNormalization(center=False)),
    "rms_norm": signal(lambda: L.RMSNormalization()),
    "group_norm": image(lambda: L.GroupNormalization(2)),
    "unit_norm": signal(lambda: L.UnitNormalization(axis=1)),
    "normalization": image(lambda: L.Normalization()),
    "normalization_given": image(lambda: L.Normalization(mean=[1, 2, 3, 4], variance=[4, 1, 1, 9])),
    "relu": image(lambda: L.ReLU()),
    "relu_max": image(lambda: L.ReLU(max_value=0.7)),
    "relu_6": image(lambda: L.ReLU(max_value=6.0)),
    "relu_slope": image(lambda: L.ReLU(negative_slope=0.25)),
    "relu_threshold": image(lambda: L.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.3)),
    "leaky_relu": image(lambda: L.LeakyReLU(negative_slope=0.15)),
    "softmax": image(lambda: L.Softmax()),
    "activation_linear": image(lambda: L.Activation("linear")),
    "activation_function": image(lambda: L.Activation(keras.activations.relu6)),
    "activation_leaky": image(lambda: L.Dense(3, activation=L.LeakyReLU(negative_slope=0.1))),
    "activation_layer": image(lambda: L.Activation(L.ReLU(max_value=0.5))),
    "max_1d": signal(lambda: L.MaxPooling1D(3, strides=2, padding="same")),
    "max_2d": image(lambda: L.MaxPooling2D((3, 2), padding="same")),
    "average_1d": signal(lambda: L.AveragePooling1D(2)),
    "average_2d": image(lambda: L.AveragePooling2D(3, strides=2, padding="same")),
    "global_average_1d": signal(lambda: L.GlobalAveragePooling1D()),
    "global_average_2d": image(lambda: L.GlobalAveragePooling2D(keepdims=True)),
    "global_max_1d": signal(lambda: L.GlobalMaxPooling1D()),
    "global_max_2d": image(lambda: L.GlobalMaxPooling2D(keepdims=True)),
    "zero_padding_1d": signal(lambda: L.ZeroPadding1D((1, 2))),
    "zero_padding_2d": image(lambda: L.ZeroPadding2D(((1, 0), (2, 3)))),
    "cropping_1d": signal(lambda: L.Cropping1D((1, 2))),
    "cropping_2d": image(lambda: L.Cropping2D(((1, 0), (2, 1)))),
    "permute": image(lambda: L.Permute((3, 1, 2))),
    "flatten": image(lambda: L.Flatten()),
    "reshape": image(lambda: L.Reshape((-1, 6))),
    "rescaling": image(lambda: L.Rescaling(1 / 127.5, offset=-1.0)),
    "rescaling_channels": image(lambda: L.Rescaling([1.0, 2.0, 3.0, 4.0], offset=[0.0, 1.0, 2.0, 3.0])),
    "dropout": image(lambda: L.Dropout(0.5)),
    "spatial_dropout_1d": signal(lambda: L.SpatialDropout1D(0.5)),
    "spatial_dropout_2d": image(lambda: L.SpatialDropout2D(0.5)),
    "gaussian_noise": image(lambda: L.GaussianNoise(1.0)),
    "gaussian_dropout": image(lambda: L.GaussianDropout(0.5)),
    "alpha_dropout": image(lambda: L.AlphaDropout(0.5)),
    "activity_regularization": image(lambda: L.ActivityRegularization(0.1)),
}


def merges() -> Any:
    """Branches, two inputs and two outputs, in an order that is not alphabetical."""
    b, a = keras.Input((4, 4, 3), name="b"), keras.Input((4, 4, 3), name="a")
    x, y = L.Conv2D(3, 1, name="left")(b), L.Conv2D(3, 3, padding="same", name="right")(a)
    total = L.Add()([x, y, b])
    product = L.Multiply()([total, x])
    joined = L.Concatenate()([product, y])
    return keras.Model([b, a], [L.Flatten(name="second")(joined), L.ReLU(name="first")(total)])


def shared_layers() -> Any:
    x = keras.Input((4, 4, 2))
    dense, norm = L.Dense(2, name="shared"), L.BatchNormalization(name="shared_norm")
    return keras.Model(x, norm(dense(norm(dense(dense(x))))))


def nested() -> Any:
    """A Sequential in a Functional in a Functional, the inner one used twice; names repeat."""
    tower = keras.Sequential([L.Conv2D(2, 3, padding="same", name="conv"), L.ReLU(name="act")], name="tower")
    z = keras.Input((6, 6, 2))
    block = keras.Model(z, L.Add(name="sum")([z, tower(tower(z))]), name="block")
    x = keras.Input((6, 6, 3))
    y = block(L.Conv2D(2, 1, name="conv")(x))
    return keras.Model(x, L.Dense(4, name="head")(L.Flatten()(block(y))), name="whole")


def functions() -> Any:
    x = keras.Input((4, 4, 2))
    y = L.Dense(2)(x / 2.0 - 1.0)
    y = keras.ops.relu(y) + y * x
    y = keras.ops.mean(y, axis=[1, 2])
    y = keras.ops.reshape(keras.ops.concatenate([y, 3.0 - y, keras.ops.tanh(y)], axis=-1), (-1, 3, 2))
    y = keras.ops.expand_dims(keras.ops.relu6(y[:, 1:]), 1)
    return keras.Model(x, keras.ops.sigmoid(keras.ops.squeeze(y, 1)))


def sequential() -> Any:
    return keras.Sequential(
        [keras.Input((8, 8, 1)), L.Conv2D(4, 3), L.BatchNormalization(), L.ReLU(), L.Flatten(), L.Dense(3)]
    )


def sequential_built_later() -> Any:
    model = keras.Sequential([L.Conv2D(4, 3), L.Flatten(), L.Dense(3)])
    model.build((None, 6, 6, 2))
    return model


def half_precision() -> Any:
    x = keras.Input((6,))
    return keras.Model(x, L.Dense(3, dtype="mixed_float16")(x))


WHOLE: dict[str, Callable[[], Any]] = {
    "merges": merges,
    "shared_layers": shared_layers,
    "nested": nested,
    "functions": functions,
    "sequential": sequential,
    "sequential_built_later": sequential_built_later,
}


def randomized(model: Any) -> Any:
    """The model with weights that are not its initial ones (a bias of 0 hides a lost bias)."""
    rng = np.random.default_rng(3)
    model.set_weights(
        [rng.uniform(0.2, 1.0, w.shape) * rng.choice([1, 1, 1], w.shape) for w in model.get_weights()]
    )
    for layer in model.layers:
        if isinstance(layer, L.Normalization):
            layer.finalize_state()
    return model


def data(model: Any) -> list[np.ndarray]:
    rng = np.random.default_rng(4)
    return [rng.normal(size=(3, *x.shape[1:])).astype(np.float32) for x in model.inputs]


def assert_is_model(graph: Graph, model: Any, atol: float = 2e-5) -> None:
    inputs = data(model)
    expected = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    expected = expected if isinstance(expected, list | tuple) else [expected]
    got = run_graph(graph, [x[:, None] for x in inputs])
    assert len(got) == len(expected)
    for mine, theirs in zip(got, expected, strict=True):
        y = np.asarray(theirs)
        assert mine[:, 0].shape == y.shape
        # float32 sums in another order; outputs are up to a few hundred
        np.testing.assert_allclose(mine[:, 0], y, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("name", [*LAYERS, *WHOLE])
def test_every_form_is_the_model(name: str, tmp_path: Path) -> None:
    """In memory, .keras and legacy .h5 give the same graph, and it computes what Keras computes."""
    model = randomized({**LAYERS, **WHOLE}[name]())
    graph = load_keras_model(model)
    assert_is_model(graph, model)
    for suffix in ("keras", "h5"):
        path = tmp_path / f"{model.name}.{suffix}"
        model.save(path)
        assert_same_graph(load_keras_file(path), graph)


def test_identities_add_no_node() -> None:
    for name in ("dropout", "gaussian_noise", "activation_linear", "activity_regularization"):
        assert load_keras_model(LAYERS[name]()).nodes == ()


def test_mixed_precision_is_computed_in_float32() -> None:
    model = randomized(half_precision())
    graph = load_keras_model(model)
    assert {tensor.dtype for tensor in graph.tensors.values()} == {"float32"}
    assert_is_model(graph, model, atol=0.02)  # Keras computes it in half precision


def test_integer_input_is_float_here() -> None:
    x = keras.Input((4, 4, 3), dtype="uint8")
    graph = load_keras_model(keras.Model(x, L.Rescaling(1 / 255)(x)))
    assert graph.input_tensors()[0].dtype == "float32"


def test_names_are_those_of_the_layers() -> None:
    names = [node.name for node in load_keras_model(nested()).nodes]
    assert names[0] == "conv"
    assert "block/tower/conv" in names
    assert "block/tower/conv_1" in names
    assert names[-1] == "head"


def test_lambda_in_memory_is_refused() -> None:
    x = keras.Input((4,))
    model = keras.Model(x, L.Dense(2)(L.Lambda(lambda t: t * 2, name="twice", output_shape=(4,))(x)))
    with pytest.raises(UnsupportedModelError, match="twice"):
        load_keras_model(model)


def test_subclassed_model_is_refused() -> None:
    class Mine(keras.Model):
        def call(self, x: Tensor) -> Tensor:
            return x

    with pytest.raises(InvalidModelError, match="Mine"):
        load_keras_model(Mine())


def test_unbuilt_model_is_refused() -> None:
    with pytest.raises(InvalidModelError, match="built"):
        load_keras_model(keras.Sequential([L.Dense(3)]))


EXPORTED = (
    "conv_2d", "conv_2d_dilated", "conv_2d_groups", "depthwise_2d", "depthwise_2d_dilated", "separable_2d",
    "transposed_2d",
    "dense_on_images", "batch_norm", "relu_6", "relu_max", "leaky_relu", "softmax", "max_2d", "average_2d",
    "global_average_2d", "zero_padding_2d", "flatten", "reshape", "rescaling", "rescaling_channels",
    "dropout",
)  # fmt: skip
EXPORTED_1D = ("conv_1d", "conv_1d_causal", "separable_1d", "transposed_1d", "max_1d", "global_average_1d")


@pytest.mark.slow  # TensorFlow starts once more
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="only the TensorFlow backend exports SavedModels"
)
def test_exported_saved_model(tmp_path: Path) -> None:
    """What Keras 3's model.export() writes: 2D layers, 1D layers (as reshaped 2D), and functions."""
    pixels = keras.Input((9, 8, 4), name="image")
    time, small = keras.Input((11, 4), name="signal"), keras.Input((4, 4, 2), name="small")
    outputs = [LAYERS[name]()(pixels) for name in EXPORTED] + [LAYERS[name]()(time) for name in EXPORTED_1D]
    outputs += [L.Dot((2, 1))([time, L.Reshape((4, 11))(time)]), L.Dot((2, 2))([time, time])]
    model = randomized(keras.Model([pixels, time, small], [*outputs, functions()(small)]))
    model.export(tmp_path / "exported", verbose=False)
    graph = load_saved_model(tmp_path / "exported")
    assert sorted(graph.inputs) == sorted(x.name for x in model.inputs)
    names = [x.name for x in model.inputs]
    by_name = dict(zip(names, data(model), strict=True))
    got = run_graph(graph, [by_name[name][:, None] for name in graph.inputs])
    expected = model([by_name[name] for name in names], training=False)
    for mine, theirs in zip(got, expected, strict=True):
        np.testing.assert_allclose(mine[:, 0], np.asarray(theirs), rtol=1e-5, atol=2e-5)


@pytest.mark.slow
def test_exported_recurrent_layer_is_refused_as_a_loop(tmp_path: Path) -> None:
    """It was said to be unsound, with 500 characters of TensorFlow's error."""
    keras.Sequential([keras.Input((4, 3)), L.GRU(2)]).export(tmp_path / "exported", verbose=False)
    with pytest.raises(InvalidModelError, match=r"without loops.*recurrent.*model\.keras"):
        load_saved_model(tmp_path / "exported")


def test_stateful_model_of_many_samples_is_told_the_batch_that_is_right() -> None:
    """Keras refuses stateful layers without batch_size."""
    model = keras.Sequential([keras.Input(batch_shape=(4, 5, 3)), L.GRU(2, stateful=True)])
    with pytest.raises(UnsupportedModelError, match="stateful layers: batch_size=1"):
        load_keras_model(model)
