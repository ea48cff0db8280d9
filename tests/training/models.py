"""Small Keras models that between them have every operator, and a training of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

SAMPLES = 96


def blocks() -> keras.Model:
    """Convolutions with batch norms, depthwise ReLU6 blocks, a residual, branches that are concatenated."""
    x = image = keras.Input((12, 10, 3), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False, name="first")(x)
    x = layers.BatchNormalization(name="first_norm")(x)
    x = skip = layers.ReLU(6.0)(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2, name="depthwise")(x)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.ReLU(6.0)(x)
    x = layers.Conv2D(8, 1, name="project")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Add(name="residual")([x, skip])
    left = layers.Conv2D(4, 3, padding="same", activation="relu", name="left")(x)
    right = layers.AveragePooling2D(2, strides=1, padding="same", name="average")(x)
    x = layers.Concatenate(name="joined")([left, right])
    x = layers.ReLU(name="after_join")(x)
    x = layers.MaxPooling2D(2, name="maximum_pool")(x)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="tanh", name="hidden")(x)
    return keras.Model(image, layers.Dense(5, activation="softmax", name="classes")(x), name="blocks")


def gated() -> keras.Model:
    """Over time: causal Conv1D with batch norm, a sigmoid gate, slices, two outputs."""
    x = wave = keras.Input((16, 6), name="wave")
    x = layers.Conv1D(8, 3, padding="causal", dilation_rate=2, name="causal")(x)
    x = layers.BatchNormalization(name="causal_norm")(x)
    x = layers.LeakyReLU(negative_slope=0.1, name="leaky")(x)
    x = layers.DepthwiseConv1D(3, strides=2, padding="same", name="over_time")(x)
    gate = layers.GlobalAveragePooling1D(name="squeeze")(x)
    gate = layers.Dense(8, activation="sigmoid", name="gate")(gate)
    x = layers.Multiply(name="gated")([x, layers.Reshape((1, 8))(gate)])
    early, late = x[:, :4], x[:, 4:]
    x = layers.Subtract(name="difference")([early, late])
    level = layers.Dense(4, name="level")(layers.Flatten()(x))
    mixed = layers.Concatenate(name="mixed")([gate, level])
    return keras.Model(wave, [level, layers.Dense(3, name="scores")(mixed)], name="gated")


def odd_ends() -> keras.Model:
    """Standing batch norms, clipped and thresholded ReLUs, minima and maxima, padding, constants."""
    x = image = keras.Input((9, 9, 4), name="image")
    x = layers.Rescaling(0.5, offset=0.1, name="rescaled")(x)
    x = layers.BatchNormalization(name="standing")(x)
    x = layers.ReLU(max_value=1.5, name="clipped")(x)
    x = layers.ZeroPadding2D(((0, 1), (1, 0)), name="padded")(x)
    a = layers.MaxPooling2D(3, strides=1, padding="same", name="pooled")(x)
    b = layers.Conv2D(4, 2, padding="same", groups=1, name="plain")(x)
    low, high = layers.Minimum(name="low")([a, b]), layers.Maximum(name="high")([a, b])
    high = layers.ReLU(threshold=0.2, negative_slope=0.3, name="threshold")(high)
    x = layers.Concatenate(name="both")([low, high])
    x = layers.ReLU(6.0, name="six")(x)
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same", use_bias=False, name="transposed")(x)
    x = layers.BatchNormalization(name="transposed_norm")(x)
    x = layers.Conv2DTranspose(4, (2, 3), strides=(2, 3), output_padding=(1, 0), name="spread")(x)
    x = layers.GlobalAveragePooling2D(keepdims=True, name="global")(x)
    return keras.Model(image, layers.Conv2D(3, 1, name="out")(x), name="odd_ends")


MODELS: dict[str, Callable[[], keras.Model]] = {"blocks": blocks, "gated": gated, "odd_ends": odd_ends}


def model_of(name: str) -> keras.Model:
    """The model with random weights and statistics, as after some training."""
    keras.utils.set_random_seed(7)
    model = MODELS[name]()
    rng = np.random.default_rng(8)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            for weight in layer.weights:
                low, high = (-0.3, 0.3) if weight.name in ("beta", "moving_mean") else (0.3, 1.5)
                weight.assign(rng.uniform(low, high, weight.shape))
    return model


def inputs_of(model: Any, samples: int = SAMPLES, seed: int = 3) -> np.ndarray:
    shape = model.input_shape[1:]
    return np.random.default_rng(seed).normal(0.1, 1.0, (samples, *shape)).astype(np.float32)


def targets_of(model: Any, samples: int = SAMPLES) -> Any:
    rng = np.random.default_rng(4)
    shapes = model.output_shape if isinstance(model.output_shape, list) else [model.output_shape]
    targets = [rng.uniform(0, 1, (samples, *shape[1:])).astype(np.float32) for shape in shapes]
    return targets if len(targets) > 1 else targets[0]


def train(model: Any, epochs: int = 2, seed: int = 3) -> Any:
    """A few steps with squared error; the same steps for the same seed."""
    if not model.compiled:
        model.compile(keras.optimizers.Adam(1e-3), "mse", jit_compile=False)
    x, y = inputs_of(model, seed=seed), targets_of(model)
    model.fit(x, y, epochs=epochs, batch_size=16, shuffle=False, verbose=0)
    return model
