"""What is wrong with a Keras file is said once, by name, with what to try."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from mcu_quant.errors import InvalidInputError, InvalidModelError, McuQuantError, UnsupportedModelError
from mcu_quant.importers import hdf5, hdf5_reader, keras_file
from mcu_quant.importers.keras_file import load_keras_file
from mcu_quant.importers.saved_model import load_saved_model
from tests.importers.keras_writer import (
    archive_weights,
    functional,
    input_layer,
    layer,
    sequential,
    write_archive,
    write_legacy,
)

KERNEL, BIAS = np.ones((4, 3), np.float32), np.zeros(3, np.float32)
DENSE = {"activation": "linear", "use_bias": True, "units": 3}
ONE_DENSE = functional([input_layer("i", 4), layer("Dense", "d", "i", **DENSE)], "i", "d")


def load(tmp_path: Path, document: Any, weights: Any = None) -> McuQuantError:
    """The error that the file gives."""
    path = write_legacy(tmp_path / "m.h5", document, {"d": [KERNEL, BIAS]} if weights is None else weights)
    with pytest.raises(McuQuantError) as caught:
        load_keras_file(path)
    return caught.value


def one_layer(*args: Any, shape: tuple[int | None, ...] = (8, 8, 3), **config: Any) -> dict[str, Any]:
    return functional([input_layer("i", *shape), layer(*args, "i", **config)], "i", args[1])


def test_every_unsupported_layer_is_listed(tmp_path: Path) -> None:
    layers = [
        input_layer("i", 8, 4),
        layer("ConvLSTM1D", "memory", "i", filters=4),
        layer("Lambda", "code", "memory", function=["4wEAAA==", None, None]),
        layer("Dense", "d", "code", **DENSE),
        layer("LocallyConnected1D", "local", "d"),
        {**layer("MyLayer", "mine", "local"), "module": "my_code", "registered_name": "Custom>MyLayer"},
        layer("TFOpLambda", "fft", [["mine", 0, 0, {}]], function="signal.rfft"),
    ]
    error = load(tmp_path, functional(layers, "i", "fft"))
    assert isinstance(error, UnsupportedModelError)
    assert [p.layer for p in error.problems] == ["memory", "code", "local", "mine", "fft"]
    assert all(p.hint for p in error.problems)
    text = str(error)
    for part in (
        "ConvLSTM1D",
        "TimeDistributed",
        "never run",
        "Custom>MyLayer",
        "tf.signal.rfft",
        "5 things",
    ):
        assert part in text


def test_layers_behind_an_unsupported_one_are_looked_at_where_the_file_has_shapes(tmp_path: Path) -> None:
    """Keras 3 writes the shape of each tensor, so that a bad activation further on is found too."""

    def node(source: str, *shape: int | None) -> list[dict[str, Any]]:
        config = {"shape": shape, "dtype": "float32", "keras_history": [source, 0, 0]}
        return [{"args": [{"class_name": "__keras_tensor__", "config": config}], "kwargs": {}}]

    dense = layer("Dense", "d", None, **{**DENSE, "activation": "sparsemax"})
    layers = [
        input_layer("i", 8, 4),
        {**layer("Masking", "memory"), "inbound_nodes": node("i", None, 8, 4)},
        {**dense, "inbound_nodes": node("memory", None, 4)},
    ]
    error = load(tmp_path, functional(layers, "i", "d"))
    assert [(p.layer, p.value) for p in error.problems] == [("memory", "Masking"), ("d", "sparsemax")]


def test_lambda_is_refused_by_name(tmp_path: Path) -> None:
    error = load(tmp_path, one_layer("Lambda", "my_lambda", function=["4wEAAA==", None, None]))
    assert "my_lambda" in str(error)
    assert "Rescaling" in str(error)


CONFIG_PROBLEMS = {
    "channels_first": (one_layer("Conv2D", "c", data_format="channels_first"), "channels_last"),
    "custom_activation": (
        one_layer(
            "Activation",
            "c",
            activation={
                "module": "mine",
                "class_name": "function",
                "config": "f",
                "registered_name": "Custom>f",
            },
        ),
        "Custom>f",
    ),
    "quantized_policy": (
        one_layer(
            "Dense",
            "c",
            dtype={"class_name": "DTypePolicy", "config": {"name": "int8_from_float32"}},
            **DENSE,
        ),
        "int8_from_float32",
    ),
    "batch_norm_axis": (one_layer("BatchNormalization", "c", axis=[1, 2]), "one axis"),
    "free_time": (one_layer("Dense", "c", shape=(None, 4), **DENSE), "fixed"),
    "batch_8": (
        functional(
            [
                layer("InputLayer", "c", [], batch_input_shape=[8, 4], dtype="float32"),
                layer("Dense", "d", "c", **DENSE),
            ],
            "c",
            "d",
        ),
        "batch 8",
    ),
}


@pytest.mark.parametrize("case", CONFIG_PROBLEMS)
def test_unsupported_config(case: str, tmp_path: Path) -> None:
    document, part = CONFIG_PROBLEMS[case]
    error = load(tmp_path, document)
    assert isinstance(error, UnsupportedModelError)
    assert error.problems[0].layer in ("c", "i")
    assert part in str(error)
    assert error.problems[0].hint


WEIGHT_PROBLEMS = {
    "nan": ({"d": [KERNEL * np.nan, BIAS]}, "kernel must be finite"),
    "infinite": ({"d": [KERNEL, BIAS + np.inf]}, "bias must be finite"),
    "beyond_float32": ({"d": [KERNEL.astype(np.float64) * 1e300, BIAS]}, "kernel must be finite"),
    "wrong_shape": ({"d": [KERNEL.T, BIAS]}, "kernel must have shape [4, 3]"),
    "bias_missing": ({"d": [KERNEL]}, "2 weights (kernel, bias)"),
    "all_missing": ({}, "2 weights"),
}


@pytest.mark.parametrize("case", WEIGHT_PROBLEMS)
def test_bad_weights(case: str, tmp_path: Path) -> None:
    weights, part = WEIGHT_PROBLEMS[case]
    error = load(tmp_path, ONE_DENSE, weights)
    assert isinstance(error, InvalidModelError)
    assert error.problems[0].layer == "d"
    assert part in str(error)


MALFORMED = {
    "not_json": "{",
    "not_an_object": "[1, 2]",
    "no_config": '{"class_name": "Functional"}',
    "deep": "[" * 200_000 + "]" * 200_000,
    "subclass": json.dumps({"class_name": "MyModel", "config": {}, "module": "mine"}),
    "layers_a_number": json.dumps({"class_name": "Sequential", "config": {"layers": 3}}),
    "no_layers": json.dumps(sequential([])),
    "no_shape": json.dumps(sequential([layer("Dense", "d", **DENSE)])),
    "units_a_word": json.dumps(
        functional([input_layer("i", 4), layer("Dense", "d", "i", units="x")], "i", "d")
    ),
    "reads_nothing_known": json.dumps(
        functional([input_layer("i", 4), layer("Dense", "d", "x", **DENSE)], "i", "d")
    ),
    "circle": json.dumps(
        functional([input_layer("i", 4), layer("Add", "a", ["i", "b"]), layer("ReLU", "b", "a")], "i", "b")
    ),
    "same_name_twice": json.dumps(
        functional([input_layer("i", 4), layer("ReLU", "r", "i"), layer("ReLU", "r", "i")], "i", "r")
    ),
    "output_unknown": json.dumps(
        functional([input_layer("i", 4), layer("Dense", "d", "i", **DENSE)], "i", "x")
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_config(case: str, tmp_path: Path) -> None:
    error = load(tmp_path, MALFORMED[case])
    assert isinstance(error, InvalidModelError)


def test_models_nested_without_end(tmp_path: Path) -> None:
    document = ONE_DENSE
    for depth in range(40):
        document = sequential([{**document, "name": f"m{depth}"}], name=f"s{depth}")
    assert "nested" in str(load(tmp_path, document))


def test_models_that_multiply(tmp_path: Path) -> None:
    """Twelve models, each calling the next ten times, are 10**12 calls in a few kilobytes."""
    model = functional([input_layer("i", 4), layer("Dropout", "d", "i", rate=0.5)], "i", "d", "m0")
    for depth in range(12):
        nodes = [[["i", 0, 0, {}]], *([["m", call, 0, {}]] for call in range(9))]
        nested = {**model, "name": "m", "inbound_nodes": nodes}
        model = functional([input_layer("i", 4), nested], "i", [["m", 9, 0]], f"m{depth}")
    assert "up to" in str(load(tmp_path, model, {}))


def good_archive(path: Path) -> Path:
    return write_archive(path, ONE_DENSE, archive_weights({"layers/dense": [KERNEL, BIAS]}))


def test_truncated_files(tmp_path: Path) -> None:
    """Cut anywhere, both kinds of file give the one kind of error."""
    legacy = write_legacy(tmp_path / "whole.h5", ONE_DENSE, {"d": [KERNEL, BIAS]}).read_bytes()
    archive = good_archive(tmp_path / "whole.keras").read_bytes()
    for data, suffix in ((legacy, "h5"), (archive, "keras")):
        for share in (0.3, 0.9):
            path = tmp_path / f"cut.{suffix}"
            path.write_bytes(data[: int(len(data) * share)])
            with pytest.raises(InvalidModelError, match=path.name):
                load_keras_file(path)


def test_flipped_bytes_never_crash(tmp_path: Path) -> None:
    data = bytearray(good_archive(tmp_path / "whole.keras").read_bytes())
    rng = np.random.default_rng(0)
    path = tmp_path / "flipped.keras"
    for _ in range(12):
        damaged = bytearray(data)
        for place in rng.integers(4, len(data), 20):
            damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            load_keras_file(path)
        except McuQuantError as error:
            assert error.exit_code == 2


FILES = {
    "empty": (b"", "an empty file"),
    "text": (b"hello, this is not a model", "begins with"),
    "tflite": (struct.pack("<I4s", 28, b"TFL3") + bytes(40), "begins with"),
    "zip_signature_only": (b"PK\x03\x04" + bytes(60), "zip archive"),
    "hdf5_signature_only": (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5"),
}


@pytest.mark.parametrize("case", FILES)
def test_not_a_model(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(FILES[case][0])
    with pytest.raises(InvalidModelError, match=FILES[case][1]):
        load_keras_file(path)


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="must exist"):
        load_keras_file(tmp_path / "absent.keras")
    with pytest.raises(InvalidInputError, match="directory"):
        load_keras_file(tmp_path)
    with pytest.raises(InvalidInputError, match=r"saved_model\.pb"):
        load_saved_model(tmp_path)


def test_weights_only_h5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file["dense/kernel:0"] = KERNEL
    with pytest.raises(InvalidModelError, match=r"whole model.*model\.save"):
        load_keras_file(tmp_path / "w.h5")


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_archive_without_a_member(member: str, tmp_path: Path) -> None:
    source, path = good_archive(tmp_path / "whole.keras"), tmp_path / "less.keras"
    with zipfile.ZipFile(source) as whole, zipfile.ZipFile(path, "w") as less:
        for name in whole.namelist():
            if name != member:
                less.writestr(name, whole.read(name))
    with pytest.raises(InvalidModelError, match=member):
        load_keras_file(path)


def test_zip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small archive of a huge member is not unpacked beyond the limit."""
    monkeypatch.setattr(keras_file, "MAX_FILE_BYTES", 1 << 20)
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps(ONE_DENSE))
        archive.writestr("model.weights.h5", bytes(1 << 26))
    with pytest.raises(InvalidModelError, match="must not have more than 1048576 bytes"):
        load_keras_file(path)


def test_config_bomb(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * (keras_file.MAX_CONFIG_BYTES + 1))
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(InvalidModelError, match=r"config\.json must not have more"):
        load_keras_file(path)


def test_huge_dataset_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """A chunked dataset of zeros takes no room in the file and 40 GB in memory."""
    path = write_legacy(tmp_path / "m.h5", ONE_DENSE, {"d": [KERNEL, BIAS]})
    with h5py.File(path, "a") as file:
        file.create_dataset("model_weights/d/huge", (10_000, 1_000_000), "f4", chunks=(100, 100))
    with pytest.raises(InvalidModelError, match=f"more than {hdf5_reader.MAX_ARRAY_BYTES} bytes of arrays"):
        load_keras_file(path)


def test_values_from_another_file_are_refused(tmp_path: Path) -> None:
    """HDF5 can take a dataset's bytes from any file: a model must not read /etc/passwd into weights."""
    (tmp_path / "secret").write_bytes(bytes(48))
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(ONE_DENSE)
        file.create_dataset("d/kernel:0", (4, 3), "f4", external=[(str(tmp_path / "secret"), 0, 48)])
    with pytest.raises(InvalidModelError, match="another file"):
        load_keras_file(path)


def test_links_to_other_files_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["kernel"] = KERNEL
    path = write_legacy(tmp_path / "m.h5", ONE_DENSE, {"d": [KERNEL, BIAS]})
    with h5py.File(path, "a") as file:
        del file["model_weights/d/d/kernel:0"]
        file["model_weights/d/d/kernel:0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "kernel")
    with pytest.raises(InvalidModelError, match="kernel:0"):
        load_keras_file(path)


def test_reader_is_stopped_when_it_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "TIMEOUT_SECONDS", 0.01)
    with pytest.raises(InvalidModelError, match=r"more than 0.01 s"):
        load_keras_file(write_legacy(tmp_path / "m.h5", ONE_DENSE, {"d": [KERNEL, BIAS]}))
