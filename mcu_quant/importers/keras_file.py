"""Keras files: .keras archives (Keras 2.12 to 3) and legacy .h5, told apart by their first bytes."""

from __future__ import annotations

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from mcu_quant.archives import DAMAGE
from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.importers.hdf5 import SIGNATURE, Hdf5Contents, read_hdf5
from mcu_quant.importers.hdf5_reader import MAX_FILE_BYTES
from mcu_quant.importers.keras_build import build_graph
from mcu_quant.importers.keras_config import parse_model
from mcu_quant.importers.keras_weights import ArchiveWeights, LegacyWeights
from mcu_quant.ir import Graph

MAX_CONFIG_BYTES = 1 << 25
MAX_MEMBERS = 10_000
_CHUNK = 1 << 20
_WEIGHTS = "model.weights.h5"
_METADATA = "metadata.json"
_MAX_METADATA_BYTES = 1 << 16
_ZIP_SIGNATURE = b"PK\x03\x04"


def load_keras_file(path: Path) -> Graph:
    """The float graph of a .keras or .h5 file, named after the file. Raises McuQuantError."""
    path = Path(path)
    signature = _signature(path)
    if signature.startswith(SIGNATURE):
        return _load_legacy(path)
    if signature.startswith(_ZIP_SIGNATURE):
        return _load_archive(path)
    raise InvalidModelError(
        "the file must be a .keras archive or an HDF5 file",
        layer=path.name,
        value=f"it begins with {signature[:8]!r}" if signature else "an empty file",
        hint="model.save('model.keras')",
    )


def _signature(path: Path) -> bytes:
    if path.is_dir():
        hint = "a directory is read if it is a SavedModel (with saved_model.pb in it)"
        raise InvalidInputError("the model must be a file", layer=str(path), value="a directory", hint=hint)
    try:
        with path.open("rb") as file:
            return file.read(len(SIGNATURE))
    except FileNotFoundError as error:
        raise InvalidInputError(
            "the model file must exist", layer=str(path), hint="check the path"
        ) from error
    except OSError as error:
        raise InvalidInputError(
            "the model file must be readable", layer=str(path), value=error.strerror
        ) from error


def _load_legacy(path: Path) -> Graph:
    contents = read_hdf5(path, path.name)
    root = contents.attributes.get("", {})
    text = root.get("model_config")
    if not isinstance(text, str):
        raise InvalidModelError(
            "the file must hold the whole model",
            layer=path.name,
            value="weights without a model config",
            hint="model.save('model.keras') in place of save_weights",
        )
    model = parse_model(_json(text, path.name), root.get("keras_version"))
    return build_graph(model, LegacyWeights(contents), path.stem)


def _load_archive(path: Path) -> Graph:
    try:
        with zipfile.ZipFile(path) as archive:
            document = _json(_config_text(archive, path.name), path.name)
            model = parse_model(document, _version(archive))
            contents = _weights(archive, path.name)
    except DAMAGE as error:
        raise InvalidModelError(
            "the .keras file must be a sound zip archive",
            layer=path.name,
            value=error,
            hint="save the model again; the file may be truncated",
        ) from error
    return build_graph(model, ArchiveWeights(model, contents), path.stem)


def _version(archive: zipfile.ZipFile) -> object:
    """The version of Keras that metadata.json states; None if it does not."""
    if _METADATA not in archive.namelist():
        return None
    with archive.open(_METADATA) as file:
        try:
            stated = json.loads(file.read(_MAX_METADATA_BYTES))
        except ValueError:
            return None
    return stated.get("keras_version") if isinstance(stated, dict) else None


def _config_text(archive: zipfile.ZipFile, label: str) -> bytes:
    names = archive.namelist()
    if len(names) > MAX_MEMBERS:
        raise InvalidModelError(f"the archive must not have more than {MAX_MEMBERS} members", layer=label)
    for member in ("config.json", _WEIGHTS):
        if member not in names:
            raise InvalidModelError(
                f"a .keras archive must have {member} in it",
                layer=label,
                value=", ".join(names[:5]),
                hint="model.save('model.keras'), with h5py installed",
            )
    with archive.open("config.json") as file:
        text = file.read(MAX_CONFIG_BYTES + 1)
    if len(text) > MAX_CONFIG_BYTES:
        raise InvalidModelError(f"config.json must not have more than {MAX_CONFIG_BYTES} bytes", layer=label)
    return text


def _weights(archive: zipfile.ZipFile, label: str) -> Hdf5Contents:
    with tempfile.TemporaryDirectory() as directory:
        target = Path(directory) / _WEIGHTS
        written = 0
        with archive.open(_WEIGHTS) as source, target.open("wb") as out:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > MAX_FILE_BYTES:
                    raise InvalidModelError(
                        f"{_WEIGHTS} must not have more than {MAX_FILE_BYTES} bytes",
                        layer=label,
                        hint="save the model without its optimizer",
                    )
                out.write(chunk)
        return read_hdf5(target, label)


def _json(text: str | bytes, label: str) -> Any:
    try:
        if len(text) > MAX_CONFIG_BYTES:
            raise ValueError(f"more than {MAX_CONFIG_BYTES} bytes")
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidModelError(
            "the model config must be JSON", layer=label, value=error, hint="save the model again"
        ) from error
