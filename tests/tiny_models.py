"""Small Keras models as files, written without TensorFlow: a config as Keras 3 writes it, and weights."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

#: Weights of one layer, in Keras's order.
Weights = Sequence[np.ndarray]


def layer(class_name: str, name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": name, **config}}


def write_sequential(
    path: Path,
    input_shape: Sequence[int | None],
    layers: Sequence[Mapping[str, Any]],
    weights: Mapping[str, Weights],
) -> Path:
    """A Sequential model. input_shape: with the batch axis. weights: layer name to its arrays."""
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "registered_name": "Sequential",
        "config": {"name": "tiny", "layers": [_input(input_shape), *layers]},
    }
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        for entry, group in zip(layers, _group_names(layers), strict=True):
            variables = file.create_group(f"layers/{group}/vars")
            for index, array in enumerate(weights.get(entry["config"]["name"], ())):
                variables.create_dataset(str(index), data=array)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.5.0"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", memory.getvalue())
    return path


def _input(shape: Sequence[int | None]) -> dict[str, Any]:
    return layer("InputLayer", "image", batch_shape=list(shape), dtype="float32")


def _group_names(layers: Sequence[Mapping[str, Any]]) -> list[str]:
    """As Keras names the groups of a weights file: the class in snake case, counted."""
    names: list[str] = []
    for entry in layers:
        snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in entry["class_name"]).strip("_")
        count = sum(name.rsplit("_", 1)[0] == snake or name == snake for name in names)
        names.append(snake if not count else f"{snake}_{count}")
    return names


def dense(path: Path, *, batch: int | None = None, weight: float | None = None) -> Path:
    """12 → 6 (relu) → 3 (softmax). weight: put in the first layer's first weight."""
    generator = np.random.default_rng(3)
    kernels = [generator.normal(size=shape).astype(np.float32) for shape in ((12, 6), (6, 3))]
    if weight is not None:
        kernels[0][0, 0] = weight
    return write_sequential(
        path,
        [batch, 12],
        [
            layer("Dense", "hidden", units=6, activation="relu", use_bias=True),
            layer("Dense", "scores", units=3, activation="softmax", use_bias=True),
        ],
        {"hidden": [kernels[0], np.zeros(6, np.float32)], "scores": [kernels[1], np.zeros(3, np.float32)]},
    )


def with_lambda(path: Path) -> Path:
    """A Lambda layer and another unsupported one, as Keras writes them."""
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    return write_sequential(
        path,
        [None, 12],
        [
            layer("Lambda", "double", function=code, arguments={}),
            layer("ConvLSTM1D", "memory", filters=3),
        ],
        {"memory": [np.ones((12, 12), np.float32), np.ones((3, 12), np.float32), np.ones(12, np.float32)]},
    )


def calibration(path: Path, shape: Sequence[int] = (64, 12), **arrays: np.ndarray) -> Path:
    """A .npz file with x of that shape, unless other arrays are given."""
    x = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    np.savez(path, **(arrays or {"x": x}))  # type: ignore[arg-type]
    return path
