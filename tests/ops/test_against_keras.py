"""run_float of layers over time, height and width equals Keras, attribute by attribute."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.importers.keras_model import load_keras_model
from mcu_quant.ops.interpreter import run_graph
from tests.keras_files import assert_int8_file_is_the_oracles

TIME, IMAGE, VOLUME = (13, 4), (9, 8, 6), (3, 4, 5, 2)

Build = Callable[[Any], Any]
LAYERS: dict[str, tuple[tuple[int, ...], Build]] = {
    "conv_1d_causal": (TIME, lambda k: k.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu")),
    "conv_1d_same": (TIME, lambda k: k.Conv1D(6, 3, padding="same", strides=2, activation="softmax")),
    "conv_1d_groups": (TIME, lambda k: k.Conv1D(6, 4, groups=2)),
    "conv_2d": (IMAGE, lambda k: k.Conv2D(4, (3, 2), padding="same", strides=(2, 3), groups=2)),
    "conv_2d_dilated": (IMAGE, lambda k: k.Conv2D(4, (3, 2), dilation_rate=(2, 3), use_bias=False)),
    "depthwise_1d": (TIME, lambda k: k.DepthwiseConv1D(3, padding="same", depth_multiplier=3)),
    "depthwise_2d": (IMAGE, lambda k: k.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2)),
    "depthwise_1d_dilated": (TIME, lambda k: k.DepthwiseConv1D(3, dilation_rate=3, activation="relu")),
    "separable_1d_strides": (TIME, lambda k: k.SeparableConv1D(5, 3, 2, "same", depth_multiplier=2)),
    "separable_2d": (IMAGE, lambda k: k.SeparableConv2D(5, (3, 2), dilation_rate=(2, 1), use_bias=False)),
    "separable_2d_strides": (IMAGE, lambda k: k.SeparableConv2D(5, 3, 2, "same", activation="relu")),
    "transposed_1d": (TIME, lambda k: k.Conv1DTranspose(5, 4, 3, "same", activation="relu")),
    "transposed_1d_valid": (TIME, lambda k: k.Conv1DTranspose(5, 2, 3, output_padding=1)),
    "transposed_1d_dilated": (TIME, lambda k: k.Conv1DTranspose(5, 4, padding="same", dilation_rate=2)),
    "transposed_2d": (IMAGE, lambda k: k.Conv2DTranspose(5, 3, (2, 3), "same", use_bias=False)),
    "transposed_2d_valid": (IMAGE, lambda k: k.Conv2DTranspose(5, (2, 4), 3)),
    "transposed_2d_padding": (
        IMAGE,
        lambda k: k.Conv2DTranspose(5, (5, 4), 2, "same", output_padding=(0, 1)),
    ),
    "transposed_2d_without_strides": (IMAGE, lambda k: k.Conv2DTranspose(5, (3, 2), padding="same")),
    "transposed_2d_full": (IMAGE, lambda k: k.Conv2DTranspose(5, (3, 2), dilation_rate=(1, 2))),
    "dense_on_images": (IMAGE, lambda k: k.Dense(3, use_bias=False)),
    "max_pool_1d": (TIME, lambda k: k.MaxPooling1D(3, strides=2, padding="same")),
    "max_pool_2d": (IMAGE, lambda k: k.MaxPooling2D((2, 3), padding="same")),
    "max_pool_2d_stride": (IMAGE, lambda k: k.MaxPooling2D((2, 3), strides=1)),
    "average_pool_1d": (TIME, lambda k: k.AveragePooling1D(3, strides=2, padding="same")),
    "average_pool_2d": (IMAGE, lambda k: k.AveragePooling2D((2, 3), padding="same")),
    "average_pool_2d_stride": (IMAGE, lambda k: k.AveragePooling2D((2, 3), strides=1)),
    "global_max_1d": (TIME, lambda k: k.GlobalMaxPooling1D()),
    "global_max_2d": (IMAGE, lambda k: k.GlobalMaxPooling2D(keepdims=True)),
    "global_average_1d": (TIME, lambda k: k.GlobalAveragePooling1D(keepdims=True)),
    "global_average_2d": (IMAGE, lambda k: k.GlobalAveragePooling2D()),
    "zero_padding_1d": (TIME, lambda k: k.ZeroPadding1D((2, 1))),
    "zero_padding_2d": (IMAGE, lambda k: k.ZeroPadding2D(((1, 2), (0, 3)))),
    "zero_padding_2d_symmetric": (IMAGE, lambda k: k.ZeroPadding2D((1, 2))),
    "cropping_1d": (TIME, lambda k: k.Cropping1D((2, 1))),
    "cropping_1d_number": (TIME, lambda k: k.Cropping1D(1)),
    "cropping_2d": (IMAGE, lambda k: k.Cropping2D(((1, 2), (0, 3)))),
    "cropping_2d_symmetric": (IMAGE, lambda k: k.Cropping2D((2, 1))),
    "permute": (TIME, lambda k: k.Permute((2, 1))),
    "permute_image": (IMAGE, lambda k: k.Permute((3, 1, 2))),
    "repeat_vector": ((5,), lambda k: k.RepeatVector(3)),
    "up_sampling_1d": (TIME, lambda k: k.UpSampling1D(3)),
    "up_sampling_2d": (IMAGE, lambda k: k.UpSampling2D((2, 3))),
    "up_sampling_2d_bilinear": (IMAGE, lambda k: k.UpSampling2D(2, interpolation="bilinear")),
    "resizing": (IMAGE, lambda k: k.Resizing(13, 5)),
    "resizing_nearest": (IMAGE, lambda k: k.Resizing(4, 17, interpolation="nearest")),
    "center_crop": (IMAGE, lambda k: k.CenterCrop(4, 7)),
    "batch_normalization": (IMAGE, lambda k: k.BatchNormalization(epsilon=0.01)),
    "layer_normalization": (TIME, lambda k: k.LayerNormalization()),
    "layer_normalization_axes": (IMAGE, lambda k: k.LayerNormalization(axis=[1, 3], epsilon=0.1)),
    "layer_normalization_time": (TIME, lambda k: k.LayerNormalization(axis=1, center=False)),
    "layer_normalization_plain": (TIME, lambda k: k.LayerNormalization(center=False, scale=False)),
    "layer_normalization_shift": (IMAGE, lambda k: k.LayerNormalization(axis=(1, 2, 3), scale=False)),
    "rms_normalization": (TIME, lambda k: k.RMSNormalization()),
    "rms_normalization_axes": (IMAGE, lambda k: k.RMSNormalization(axis=[2, 3])),
    "group_normalization": (IMAGE, lambda k: k.GroupNormalization(3)),
    "group_normalization_time": (TIME, lambda k: k.GroupNormalization(2, center=False, epsilon=0.1)),
    "instance_normalization": (IMAGE, lambda k: k.GroupNormalization(-1, scale=False)),
    "unit_normalization": (IMAGE, lambda k: k.UnitNormalization()),
    "unit_normalization_rows": (IMAGE, lambda k: k.UnitNormalization(axis=[2, 3])),
    "unit_normalization_time": (TIME, lambda k: k.UnitNormalization(axis=1)),
    "normalization": (IMAGE, lambda k: k.Normalization()),
    "normalization_given": (TIME, lambda k: k.Normalization(mean=[1, 2, 3, 4], variance=[4, 0, 1, 9])),
    "normalization_one": (TIME, lambda k: k.Normalization(axis=None, mean=3.0, variance=2.0)),
    "normalization_inverted": (IMAGE, lambda k: k.Normalization(invert=True)),
    "global_max_3d": (VOLUME, lambda k: k.GlobalMaxPooling3D()),
    "global_average_3d": (VOLUME, lambda k: k.GlobalAveragePooling3D(keepdims=True)),
    "log_softmax": (TIME, lambda k: k.Activation("log_softmax")),
    "batch_normalization_height": (IMAGE, lambda k: k.BatchNormalization(axis=1)),
    "batch_normalization_width": (IMAGE, lambda k: k.BatchNormalization(axis=2, center=False)),
    "softmax_time": (TIME, lambda k: k.Softmax(axis=1)),
    "softmax_image": (IMAGE, lambda k: k.Softmax(axis=[1, 2])),
    "softmax_all": (IMAGE, lambda k: k.Softmax(axis=(1, 2, 3))),
    "unit_normalization_height": (IMAGE, lambda k: k.UnitNormalization(axis=[1])),
    "softmax": (IMAGE, lambda k: k.Softmax()),
    "dense_rows": (TIME, lambda k: k.Dense(3, activation="softmax")),
}


#: Shapes of both inputs, and the axes.
DOTS: dict[str, tuple[tuple[int, ...], tuple[int, ...], Any]] = {
    "vectors": ((5,), (5,), 1),
    "last_axes": ((3, 5), (4, 5), -1),
    "matrices": ((3, 5), (5, 2), (2, 1)),
    "first_axes": ((5, 3), (5, 2), 1),
    "first_and_last": ((5, 3), (2, 5), (1, 2)),
    "vector_and_matrix": ((5,), (4, 5), (1, 2)),
    "images": ((2, 3, 5), (5, 4, 2), (3, 1)),
    "middle_axes": ((2, 5, 3), (4, 5, 2), 2),
    "middle_and_vector": ((2, 5, 3), (5,), (2, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("name", DOTS)
def test_dot(name: str, normalize: bool) -> None:
    keras = pytest.importorskip("keras")
    first, second, axes = DOTS[name]
    inputs = [keras.Input(first), keras.Input(second)]
    model = keras.Model(inputs, keras.layers.Dot(axes, normalize=normalize)(inputs))
    rng = np.random.default_rng(0)
    x = [rng.normal(size=(3, *shape)).astype(np.float32) for shape in (first, second)]
    expected = np.asarray(model(x))
    (actual,) = run_graph(load_keras_model(model), [part[:, None] for part in x])
    np.testing.assert_allclose(actual[:, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_layer(name: str) -> None:
    """The float graph is Keras's; the int8 file gives our bytes in TFLM, and LiteRT runs it."""
    keras = pytest.importorskip("keras")
    shape, build = LAYERS[name]
    model = keras.Sequential([keras.layers.Input(shape), build(keras.layers)])
    rng = np.random.default_rng(0)
    for weight in model.weights:
        positive = "variance" in weight.path
        weight.assign(rng.uniform(0.5, 2, weight.shape) if positive else rng.normal(size=weight.shape))
    if name.startswith("normalization"):
        model.layers[-1].finalize_state()
    x = rng.normal(size=(3, *shape)).astype(np.float32)
    expected = np.asarray(model(x, training=False))
    graph = load_keras_model(model)
    (actual,) = run_graph(graph, [x[:, None]])
    assert actual.shape == (3, 1, *expected.shape[1:])
    np.testing.assert_allclose(actual.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    assert_int8_file_is_the_oracles(graph, [x[:, None]])
