"""The models of docs/QUANTIZATION.md and their data, at ../shared: scaled as the models were trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from measure import SHARED

#: Training samples to calibrate with.
SAMPLES = 200
#: (float32 [N, …], labels [N]).
Split = tuple[np.ndarray, np.ndarray]


class Data(NamedTuple):
    """calibration: samples of the training data."""

    calibration: np.ndarray
    train: Split
    test: Split


def _stored(file: str) -> dict[str, np.ndarray]:
    with np.load(SHARED / "data" / file) as data:
        return {name: data[name] for name in data.files if data[name].dtype.kind in "iuf"}


def _images(train: str, test: str, scale: float) -> Data:
    def split(file: str) -> Split:
        data = _stored(file)
        return data["x"].astype(np.float32) / np.float32(scale), data["y"]

    x, labels = split(train)
    return Data(x[:SAMPLES], (x, labels), split(test))


def _speech() -> Data:
    data = _stored("fsdd_features.npz")

    def split(part: str) -> Split:
        return ((data[f"logmel_{part}"].astype(np.float32) + 7) / 5)[..., None], data[f"y_{part}"]

    x, labels = split("train")  # sorted by digit
    return Data(x[:: len(x) // SAMPLES][:SAMPLES], (x, labels), split("test"))


MODELS: Mapping[str, Callable[[], Data]] = {
    "pretrainedResnet": lambda: _images("cifar10_train6000_lossless.npz", "cifar10_test_lossless.npz", 1),
    "fashion_dscnn": lambda: _images("fashion_mnist_train10000.npz", "fashion_mnist_test5000.npz", 255),
    "fsdd_dscnn": _speech,
}
