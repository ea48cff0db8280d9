"""Train two models on scikit-learn's handwritten digits: whether a picture shows a digit, and which.

python train.py [DIRECTORY]    writes spotter.tflite and reader.tflite there (by default beside this file)

Needs `pip install 'mcu-quant[demo]'`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
from sklearn.datasets import load_digits

import mcu_quant as mq

HERE = Path(__file__).resolve().parent
TEST_PICTURES = 360


def no_digits(pictures: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """As many pictures of the same size: blank, speckled, or a digit's pixels in disorder."""
    blank = np.zeros_like(pictures)
    speckled = generator.random(pictures.shape) ** 4 * generator.random((len(pictures), 1, 1, 1))
    disorder = generator.permuted(pictures.reshape(len(pictures), -1), axis=1).reshape(pictures.shape)
    kind = generator.integers(0, 3, (len(pictures), 1, 1, 1))
    return np.choose(kind, [blank, speckled, disorder]).astype(np.float32)


def spotter() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="picture"),
            layers.Conv2D(6, 3, strides=2, activation="relu", name="strokes"),
            layers.Flatten(name="all"),
            layers.Dense(2, activation="softmax", name="digit"),
        ],
        name="spotter",
    )


def reader() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="picture"),
            layers.Conv2D(12, 3, padding="same", activation="relu", name="strokes"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(16, 3, activation="relu", name="shapes"),
            layers.Flatten(name="all"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="reader",
    )


def quantized(
    model: keras.Model, x: np.ndarray, y: np.ndarray, test: tuple[np.ndarray, np.ndarray]
) -> mq.QuantizedModel:
    model.compile(keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy")
    model.fit(x, y, epochs=15, batch_size=64, verbose=0)
    result = mq.quantize(model, representative_dataset=x[::8])
    right = result.predict(test[0]).argmax(axis=1) == test[1]
    print(f"{model.name}: {right.mean():.1%} of {len(right)} test pictures right")
    return result


def main(output: Path) -> None:
    keras.utils.set_random_seed(1)
    generator = np.random.default_rng(1)
    data = load_digits()
    order = generator.permutation(len(data.target))
    x, y = (data.images[order] / 16).astype(np.float32)[..., None], data.target[order]
    both = np.concatenate([x, no_digits(x, generator)])
    is_digit = np.repeat([1, 0], len(x))
    test = np.tile(np.arange(len(x)) >= len(x) - TEST_PICTURES, 2)
    spots = quantized(spotter(), both[~test], is_digit[~test], (both[test], is_digit[test]))
    n = len(x) - TEST_PICTURES
    reads = quantized(reader(), x[:n], y[:n], (x[n:], y[n:]))
    spots.save(output / "spotter.tflite", force=True)
    reads.save(output / "reader.tflite", force=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else HERE)
