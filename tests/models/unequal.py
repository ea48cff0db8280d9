"""A model that breaks naive quantization, trained on Fashion-MNIST.

    python -m tests.models.unequal DATA OUT.keras

Depthwise-separable blocks with batch normalization and ReLU6, as MobileNets have. After training, the
channels of the layers in PLANTED are rescaled: batch normalization's gamma and beta by a factor of each
channel, 2**-7 to 1, and the weights that read the channel by its inverse. That changes next to nothing in
float (ReLU6 no longer clamps the few values above 6 of a channel that was made smaller), but one int8 scale
for all channels has no steps left for the small ones, neither of activations nor of weights.

A process of its own: the training is deterministic, whatever ran before.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

SEED = 7
EPOCHS = 6
FILTERS = (24, 32, 48)

#: Layers whose output channels were made unequal, and the layer that undoes it.
PLANTED = {"pointwise0": "depthwise1", "depthwise1": "pointwise1", "depthwise2": "pointwise2"}
#: The smallest factor is 2 to this power.
LEAST_POWER = -7.0


def build() -> Any:
    """The model in Keras, untrained."""
    import keras
    from keras import layers

    def normalized(x: Any, name: str) -> Any:
        return layers.ReLU(6.0, name=f"{name}_relu")(layers.BatchNormalization(name=f"{name}_bn")(x))

    inputs = keras.Input((28, 28, 1), name="image")
    x = layers.Conv2D(16, 3, strides=2, padding="same", use_bias=False, name="stem")(inputs)
    x = normalized(x, "stem")
    for index, filters in enumerate(FILTERS):
        strides = 2 if index == 1 else 1
        name = f"depthwise{index}"
        x = layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False, name=name)(x)
        x = normalized(x, name)
        name = f"pointwise{index}"
        x = normalized(layers.Conv2D(filters, 1, use_bias=False, name=name)(x), name)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(10, name="classes")(x), name="unequal")


def train(x: np.ndarray, y: np.ndarray) -> Any:
    """x: float32 [N, 28, 28, 1] in 0..1; y: the classes."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    steps = EPOCHS * -(-len(x) // 64)
    rate = keras.optimizers.schedules.CosineDecay(8e-3, steps)
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(x, y, batch_size=64, epochs=EPOCHS, verbose=0)
    return model


def plant(model: Any) -> None:
    """Rescale the channels of PLANTED."""
    rng = np.random.default_rng(SEED)
    for name, reader in PLANTED.items():
        normalization = model.get_layer(f"{name}_bn")
        gamma, beta, mean, variance = normalization.get_weights()
        factors = np.exp2(np.linspace(LEAST_POWER, 0.0, len(gamma)))
        rng.shuffle(factors)
        normalization.set_weights([gamma * factors, beta * factors, mean, variance])
        (kernel,) = model.get_layer(reader).get_weights()
        model.get_layer(reader).set_weights([kernel / factors[:, None]])


def main(data: str, output: str) -> None:
    with np.load(Path(data) / "fashion_mnist_train10000.npz") as stored:
        x, y = stored["x"].astype(np.float32) / 255, stored["y"]
    model = train(x, y)
    plant(model)
    model.save(output)


if __name__ == "__main__":
    main(*sys.argv[1:])
