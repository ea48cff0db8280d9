"""SavedModels (directories with saved_model.pb), through TensorFlow in a child process."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mcu_quant.errors import InvalidInputError, InvalidModelError, ToolMissingError
from mcu_quant.importers import saved_model_reader
from mcu_quant.importers.child import ChildFailed, run_child
from mcu_quant.importers.frozen_graph import build_frozen_graph
from mcu_quant.ir import Graph

TIMEOUT_SECONDS = 600.0


def is_saved_model(path: Path) -> bool:
    return (path / "saved_model.pb").is_file()


def load_saved_model(path: Path) -> Graph:
    """The float graph of the default signature, named after the directory. Raises McuQuantError."""
    path = Path(path)
    if not is_saved_model(path):
        raise InvalidInputError(
            "a SavedModel must be a directory with saved_model.pb in it",
            layer=str(path),
            hint="check the path",
        )
    if importlib.util.find_spec("tensorflow") is None:
        raise ToolMissingError(
            "reading a SavedModel needs TensorFlow",
            layer=str(path),
            hint="pip install 'mcu-quant[tensorflow]', or save the model as .keras, which needs nothing",
        )
    try:
        header, arrays = run_child(saved_model_reader.__name__, path, TIMEOUT_SECONDS)
    except ChildFailed as reason:
        raise InvalidModelError(
            "the directory must be a sound SavedModel without loops",
            layer=path.name,
            value=reason,
            hint="model.save('model.keras'), above all of recurrent layers, or model.export(directory) again",
        ) from reason
    return build_frozen_graph(path.name, header, arrays)
