"""A transformer encoder, trained on log-mel features of spoken digits.

    python -m tests.models.encoder DATA OUT.keras

Two layers, four heads, normalization before each part, a feed-forward part with GELU, learned positions.

A process of its own: the training is deterministic, whatever ran before.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

SEED = 7
EPOCHS = 8
STEPS, BANDS = 49, 40
SIZE, HEADS, LAYERS, HIDDEN = 32, 4, 2, 64
WORDS = 10


def build() -> Any:
    """The model in Keras, untrained."""
    import keras
    from keras import layers

    inputs = keras.Input((STEPS, BANDS), name="log_mel")
    x = layers.Dense(SIZE, name="project")(inputs)
    places = layers.Embedding(STEPS, SIZE, name="places")(keras.ops.arange(STEPS))
    x = x + places
    for index in range(LAYERS):
        y = layers.LayerNormalization(name=f"norm{index}a")(x)
        y = layers.MultiHeadAttention(HEADS, SIZE // HEADS, name=f"look{index}")(y, y)
        x = layers.Add(name=f"seen{index}")([x, y])
        y = layers.LayerNormalization(name=f"norm{index}b")(x)
        y = layers.Dense(HIDDEN, activation="gelu", name=f"wide{index}")(y)
        x = layers.Add(name=f"thought{index}")([x, layers.Dense(SIZE, name=f"narrow{index}")(y)])
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(WORDS, name="words")(x), name="encoder")


def features(log_mel: np.ndarray) -> np.ndarray:
    """[N, STEPS, BANDS] as the model takes them."""
    return (log_mel.astype(np.float32) + 7) / 5


def train(x: np.ndarray, y: np.ndarray) -> Any:
    """x: float32 [N, STEPS, BANDS]; y: the words."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, EPOCHS * -(-len(x) // 64))
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(x, y, batch_size=64, epochs=EPOCHS, verbose=0)
    return model


def main(data: str, out: str) -> None:
    with np.load(data) as stored:
        x, y = features(stored["logmel_train"]), stored["y_train"].astype(np.int64)
    train(x, y).save(out)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
