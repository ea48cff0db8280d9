"""Keras files written by hand, in the layouts of Keras versions that are not installed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Weights = Mapping[str, Sequence[np.ndarray]]

#: Names of a layer's weights in legacy files, by class, in order.
_NAMES = {
    "BatchNormalization": ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"),
    "DepthwiseConv2D": ("depthwise_kernel:0", "bias:0"),
    "SeparableConv2D": ("depthwise_kernel:0", "pointwise_kernel:0", "bias:0"),
}

_OTHER_NAMES = ("kernel:0", "bias:0", *(f"{index}:0" for index in range(2, 9)))


def layer(class_name: str, name: str, inbound: Any = None, **config: Any) -> dict[str, Any]:
    """A layer of a Keras-2 config; inbound: names of the layers that it reads, or raw inbound_nodes."""
    document = {"class_name": class_name, "config": {"name": name, "trainable": True, **config}, "name": name}
    if inbound is not None:
        names = [inbound] if isinstance(inbound, str) else inbound
        raw = bool(names) and not all(isinstance(n, str) for n in names)
        document["inbound_nodes"] = names if raw else [[[n, 0, 0, {}] for n in names]] if names else []
    return document


def input_layer(name: str, *shape: int | None, **config: Any) -> dict[str, Any]:
    return layer("InputLayer", name, [], batch_input_shape=[None, *shape], dtype="float32", **config)


def functional(
    layers: Sequence[Mapping[str, Any]], inputs: Any, outputs: Any, name: str = "model"
) -> dict[str, Any]:
    def ends(value: Any) -> Any:
        return [
            [v, 0, 0] if isinstance(v, str) else v for v in ([value] if isinstance(value, str) else value)
        ]

    config = {
        "name": name,
        "layers": list(layers),
        "input_layers": ends(inputs),
        "output_layers": ends(outputs),
    }
    return {"class_name": "Functional", "config": config, "keras_version": "2.11.0", "backend": "tensorflow"}


def sequential(
    layers: Sequence[Mapping[str, Any]], name: str = "sequential", **config: Any
) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": name, "layers": list(layers), **config}}


def write_legacy(
    path: Path, document: Any, weights: Weights, classes: Mapping[str, str] | None = None
) -> Path:
    """A .h5 file of Keras 2: model_config, and model_weights by layer name."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = document if isinstance(document, str | bytes) else json.dumps(document)
        file.attrs["keras_version"], file.attrs["backend"] = "2.11.0", "tensorflow"
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            names = _NAMES.get(
                (classes or {}).get(name, ""), ("kernel:0", "bias:0", *(f"{i}:0" for i in range(2, 9)))
            )
            group = root.create_group(name)
            full = [f"{name}/{part}" for part in names[: len(arrays)]]
            group.attrs["weight_names"] = [part.encode() for part in full]
            for part, array in zip(full, arrays, strict=True):
                group[part] = array
    return path


def archive_weights(groups: Weights) -> bytes:
    """A model.weights.h5 with those groups, each with its variables in "vars"."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, arrays in groups.items():
            variables = file.create_group(name).create_group("vars")
            for index, array in enumerate(arrays):
                variables[str(index)] = array
    return buffer.getvalue()


def write_archive(path: Path, document: Any, weights: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "2.12.0"}')
        archive.writestr("config.json", document if isinstance(document, str) else json.dumps(document))
        archive.writestr("model.weights.h5", weights)
    return path
