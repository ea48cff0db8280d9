"""Model files: a float Graph, or a .tflite file and the graph in it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from mcu_quant.c_names import c_name
from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.ir import Graph

#: Larger model files are refused unread.
MAX_MODEL_BYTES = 512 * 2**20


@dataclass(frozen=True)
class TfliteModel:
    """A .tflite file in memory, and the graph that was read from these very bytes.

    window: that graph, where `graph` is what streams it; else None.
    """

    name: str
    data: bytes
    graph: Graph
    window: Graph | None = None

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def load(source: str | Path | object, name: str | None = None) -> Graph | TfliteModel:
    """A float Graph from .keras, .h5, a SavedModel or a keras.Model; a TfliteModel from .tflite."""
    if not isinstance(source, (str, Path)):
        from mcu_quant.importers.keras_model import load_keras_model

        return load_keras_model(source)
    if not str(source):
        raise InvalidInputError("the model's path must not be empty", hint="the path of a model file")
    path = Path(source)
    kind = model_kind(path)
    if kind == "tflite":
        return _read_file(path, name or c_name(path.stem))
    if kind == "saved_model":
        from mcu_quant.importers.saved_model import load_saved_model

        return load_saved_model(path)
    from mcu_quant.importers.keras_file import load_keras_file

    return load_keras_file(path)


def _read_file(path: Path, name: str) -> TfliteModel:
    """read_model, with the file named where it is damaged."""
    try:
        return read_model(path.read_bytes(), name)
    except InvalidModelError as error:
        (problem,) = error.problems
        layer = f"{path}: {problem.layer}" if problem.layer else str(path)
        raise InvalidModelError(problem.rule, layer=layer, value=problem.value, hint=problem.hint) from error


def read_model(data: bytes, name: str) -> TfliteModel:
    from mcu_quant.importers.tflite import read_tflite

    return TfliteModel(name, data, read_tflite(data, name))


def model_kind(path: Path) -> str:
    """ "tflite", "keras" (.keras or .h5) or "saved_model", by content and then by suffix."""
    hint = "a .keras, .h5 or .tflite file, or a SavedModel directory"
    if not path.exists():
        raise InvalidInputError("there is no such model", layer=str(path), hint=hint)
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "saved_model"
        raise InvalidInputError(
            "a directory must be a SavedModel", layer=str(path), value="no saved_model.pb", hint=hint
        )
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise InvalidInputError("the model cannot be read", layer=str(path), value=error.strerror) from error
    if size > MAX_MODEL_BYTES:
        raise InvalidModelError(
            f"a model file may have {MAX_MODEL_BYTES} bytes", layer=str(path), value=f"{size} bytes"
        )
    if head[4:8] == b"TFL3" or path.suffix == ".tflite":
        return "tflite"
    if head == b"\x89HDF\r\n\x1a\n" or head[:4] == b"PK\x03\x04" or path.suffix in (".keras", ".h5", ".hdf5"):
        return "keras"
    raise InvalidModelError(
        "the file must be a model", layer=str(path), value=f"starts with {head!r}", hint=hint
    )
