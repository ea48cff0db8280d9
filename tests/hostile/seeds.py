"""Sound files of each kind, small, from which hostile ones are made."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from mcu_quant.exporters.tflite import write_tflite
from tests import tiny_models
from tests.importers import test_tflite_dilation, test_tflite_lowering
from tests.importers.keras_writer import functional, input_layer, layer
from tests.importers.streams import STREAMS
from tests.ops.tables import table_cases
from tests.tflite_models import branches, computed_reshape, constant_condition, loop, rank_condition

#: So many cases of each operator in each form become .tflite files.
PER_CELL = 1


def tflite_files() -> list[bytes]:
    """One operator each, of every operator and form; what is read as several; branches, loops, variables."""
    chosen: dict[tuple[str, str], list[bytes]] = {}
    for case in table_cases():
        files = chosen.setdefault((case.op, case.form), [])
        if len(files) < PER_CELL:
            files.append(write_tflite(case.graph))
    models = [branches(constant_condition(True)), branches(rank_condition), loop(3), computed_reshape()]
    lowered = {case.builtin: case.file("int8") for case in test_tflite_lowering.CASES}
    chains = [case.graph("int8")[0] for case in test_tflite_dilation.CASES[:2]]
    single = (file for files in chosen.values() for file in files)
    streams = [build() for build in STREAMS.values()]
    return [*single, *(model.file() for model in models), *lowered.values(), *chains, *streams]


def keras_files(folder: Path) -> list[bytes]:
    paths = [tiny_models.dense(folder / "dense.keras"), tiny_models.with_lambda(folder / "lambda.keras")]
    paths.append(_convolutions(folder / "convolutions.keras"))
    return [path.read_bytes() for path in paths]


def _convolutions(path: Path) -> Path:
    named = tiny_models.layer
    rng = np.random.default_rng(1)
    layers = [
        named(
            "Conv2D", "conv", filters=4, kernel_size=[3, 3], strides=[2, 1], padding="same", activation="relu"
        ),
        named("BatchNormalization", "norm", axis=-1, epsilon=0.001),
        named("DepthwiseConv2D", "depthwise", kernel_size=[3, 3], padding="valid", use_bias=False),
        named("MaxPooling2D", "pool", pool_size=[2, 2], strides=[1, 1]),
        named("LeakyReLU", "leaky", negative_slope=0.1),
        named("GlobalAveragePooling2D", "mean"),
        named("Reshape", "reshape", target_shape=[2, 2]),
        named("Softmax", "scores", axis=-1),
    ]
    weights = {
        "conv": [rng.normal(size=(3, 3, 2, 4)), np.zeros(4)],
        "norm": [np.ones(4), np.zeros(4), np.zeros(4), np.ones(4)],
        "depthwise": [rng.normal(size=(3, 3, 4, 1))],
    }
    floats = {name: [array.astype(np.float32) for array in arrays] for name, arrays in weights.items()}
    return tiny_models.write_sequential(path, [None, 9, 8, 2], layers, floats)


def h5_files() -> list[bytes]:
    """Legacy files of Keras 2: functional and with a branch, whole and without a config."""
    layers = [
        input_layer("image", 6, 6, 1),
        layer("Conv2D", "conv", "image", filters=2, kernel_size=[3, 3], activation="relu", use_bias=True),
        layer("Flatten", "flat", "conv"),
        layer("Dense", "left", "flat", units=3, activation="linear", use_bias=False),
        layer("Dense", "right", "flat", units=3, activation="tanh", use_bias=False),
        layer("Add", "sum", ["left", "right"]),
    ]
    weights = {
        "conv": {"kernel:0": np.ones((3, 3, 1, 2), np.float32), "bias:0": np.zeros(2, np.float32)},
        "left": {"kernel:0": np.ones((32, 3), np.float32)},
        "right": {"kernel:0": np.ones((32, 3), np.float32)},
    }
    config = functional(layers, "image", "sum")
    return [_legacy(config, weights), _legacy(None, weights), _legacy(config, {})]


def _legacy(config: Mapping[str, object] | None, weights: Mapping[str, Mapping[str, np.ndarray]]) -> bytes:
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        if config is not None:
            file.attrs["model_config"] = json.dumps(config)
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{key}".encode() for key in arrays]
            for key, array in arrays.items():
                group.create_dataset(f"{name}/{key}", data=array)
    return memory.getvalue()


def npz_files() -> list[bytes]:
    """Data for the model of 12 inputs: plain, compressed, several arrays, Fortran order, integers."""
    x = np.random.default_rng(2).normal(size=(6, 12)).astype(np.float32)
    labels = np.arange(6) % 3
    saved = [
        (np.savez, {"x": x}),
        (np.savez_compressed, {"x": x, "y": labels}),
        (np.savez, {"in0": x.astype(np.int8)}),
        (np.savez, {"image": np.asfortranarray(x), "other": x.astype(np.float64)}),
    ]
    return [_saved(save, arrays) for save, arrays in saved]


def _saved(save: Callable[..., None], arrays: Mapping[str, np.ndarray]) -> bytes:
    memory = io.BytesIO()
    save(memory, **arrays)
    return memory.getvalue()


def write_seeds(kind: str, folder: Path) -> Sequence[Path]:
    """The sound files of a kind (tflite, keras, h5, npz), in that folder."""
    files = {
        "tflite": tflite_files,
        "keras": lambda: keras_files(folder.parent),
        "h5": h5_files,
        "npz": npz_files,
    }[kind]()
    paths = []
    for index, file in enumerate(files):
        path = folder / f"seed_{index}"
        path.write_bytes(file)
        paths.append(path)
    return paths
