"""The demo's model: scikit-learn's handwritten digits and a small convolutional network, trained here.

Run as `python -m mcu_quant.demo_training DIRECTORY`, so that TensorFlow lives in a process of its own.
Writes digits.keras, and digits.npz: calibration (from the training set), x and y (the test set), and
float_scores (Keras's own outputs for x).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

#: Images held back for the test; never trained or calibrated with.
TEST_IMAGES = 360
CALIBRATION_IMAGES = 200
SEED = 1


def digits() -> tuple[np.ndarray, np.ndarray]:
    """1,797 images [N, 8, 8, 1] in [0, 1], and their digits, in a fixed random order."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = np.random.default_rng(SEED).permutation(len(data.target))
    images = (data.images / 16.0).astype(np.float32)[..., None]
    return images[order], data.target[order].astype(np.int64)


def build() -> object:
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise"),
            layers.Conv2D(32, 1, activation="relu", name="pointwise"),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv_2"),
            layers.GlobalAveragePooling2D(name="average"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )


def train(directory: Path) -> None:
    import keras

    keras.utils.set_random_seed(SEED)
    x, y = digits()
    train_x, train_y = x[:-TEST_IMAGES], y[:-TEST_IMAGES]
    test_x, test_y = x[-TEST_IMAGES:], y[-TEST_IMAGES:]
    model = build()
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 20 * -(-len(train_x) // 32))
    model.compile(keras.optimizers.Adam(schedule), "sparse_categorical_crossentropy")  # type: ignore[attr-defined]
    model.fit(train_x, train_y, epochs=20, batch_size=32, verbose=0)  # type: ignore[attr-defined]
    model.save(directory / "digits.keras")  # type: ignore[attr-defined]
    np.savez(
        directory / "digits.npz",
        calibration=train_x[:CALIBRATION_IMAGES],
        x=test_x,
        y=test_y,
        float_scores=model.predict(test_x, verbose=0),  # type: ignore[attr-defined]
    )


if __name__ == "__main__":
    train(Path(sys.argv[1]))
