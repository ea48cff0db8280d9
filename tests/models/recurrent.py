"""Recurrent networks, trained on real sequences.

    python -m tests.models.recurrent KIND DATA OUT.keras

digits: scikit-learn's, row by row, 8 steps of 8. words: log-mel features of spoken digits, 49 steps of 40.

A process of its own: the training is deterministic, whatever ran before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

SEED = 7
#: Of each kind of data: shape, epochs, sequences of a batch.
DATA: Mapping[str, tuple[tuple[int, int], int, int]] = {
    "digits": ((8, 8), 25, 24),
    "words": ((49, 40), 16, 64),
}
CLASSES = 10


def _networks(layers: Any) -> dict[str, Callable[[Any], Any]]:
    """By name: data, a word or two of the network."""
    return {
        "digits_lstm": lambda x: layers.LSTM(24)(x),
        "digits_both_ways": lambda x: layers.Bidirectional(layers.LSTM(16))(x),
        "digits_stacked": lambda x: layers.LSTM(16)(layers.LSTM(20, return_sequences=True)(x)),
        "words_lstm": lambda x: layers.LSTM(32)(x),
        "digits_gru": lambda x: layers.GRU(24)(x),
        "digits_gru_both_ways": lambda x: layers.Bidirectional(layers.GRU(16))(x),
        "digits_gru_stacked": lambda x: layers.GRU(16, reset_after=False)(
            layers.GRU(20, return_sequences=True)(x)
        ),
        "digits_simple_rnn": lambda x: layers.SimpleRNN(32)(x),
        "words_gru": lambda x: layers.GRU(32)(x),
    }


LSTMS = ("digits_lstm", "digits_both_ways", "digits_stacked", "words_lstm")
GRUS = ("digits_gru", "digits_gru_both_ways", "digits_gru_stacked", "digits_simple_rnn", "words_gru")
KINDS = (*LSTMS, *GRUS)


def build(kind: str) -> Any:
    """The model in Keras, untrained."""
    import keras
    from keras import layers

    shape, _, _ = DATA[kind.split("_")[0]]
    x = keras.Input(shape, name="rows")
    return keras.Model(x, layers.Dense(CLASSES, name="classes")(_networks(layers)[kind](x)), name=kind)


def sequences(kind: str, data: str = "") -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(x, y) to train with and (x, y) to test with. data: the file of the words' features."""
    if kind.startswith("words"):
        with np.load(data) as stored:
            arrays = [stored[f"{what}_{part}"] for part in ("train", "test") for what in ("logmel", "y")]
        x, y, x_test, y_test = arrays
        return (x.astype(np.float32) + 7) / 5, y, (x_test.astype(np.float32) + 7) / 5, y_test
    from sklearn.datasets import load_digits

    digits = load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    x, y = digits.images.astype(np.float32)[order] / 16, digits.target[order]
    return x[:1297], y[:1297], x[1297:], y[1297:]


def train(kind: str, x: np.ndarray, y: np.ndarray) -> Any:
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    model = build(kind)
    _, epochs, batch = DATA[kind.split("_")[0]]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, epochs * -(-len(x) // batch))
    model.compile(keras.optimizers.Adam(rate, global_clipnorm=1.0), loss)
    model.fit(x, y.astype(np.int64), batch_size=batch, epochs=epochs, verbose=0)
    return model


def main(kind: str, data: str, out: str) -> None:
    x, y, _, _ = sequences(kind, data)
    train(kind, x, y).save(out)


if __name__ == "__main__":
    main(*sys.argv[1:4])
