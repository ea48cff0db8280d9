"""HDF5 files, read by a child process (hdf5_reader.py) in bounded memory and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcu_quant.errors import InvalidModelError
from mcu_quant.importers import hdf5_reader
from mcu_quant.importers.child import ChildFailed, run_child

TIMEOUT_SECONDS = 120.0
SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Hdf5Contents:
    """attributes: object path ("" is the root) to attribute to text. arrays: dataset path to array.

    Paths are as in the file, backslashes included (Keras 2.12 on Windows writes them).
    """

    attributes: Mapping[str, Mapping[str, str | list[str]]]
    arrays: Mapping[str, np.ndarray]

    def names(self, path: str, attribute: str) -> list[str] | None:
        """A list of strings, also where Keras has split it over `attribute0`, `attribute1`, …"""
        found = self.attributes.get(path, {})
        value = found.get(attribute)
        if value is not None:
            return [value] if isinstance(value, str) else value
        parts: list[str] = []
        for index in range(len(found)):
            part = found.get(f"{attribute}{index}")
            if part is None:
                return parts if index else None
            parts += [part] if isinstance(part, str) else part
        return parts or None


def read_hdf5(path: Path, label: str) -> Hdf5Contents:
    """Every numeric dataset and the attributes that Keras writes. label: the file, in errors.

    Raises InvalidModelError.
    """
    if path.stat().st_size > hdf5_reader.MAX_FILE_BYTES:
        raise InvalidModelError(
            f"an HDF5 file must not have more than {hdf5_reader.MAX_FILE_BYTES} bytes",
            layer=label,
            value=path.stat().st_size,
            hint="save the model without its optimizer",
        )
    try:
        header, arrays = run_child(hdf5_reader.__name__, path, TIMEOUT_SECONDS)
    except ChildFailed as reason:
        raise InvalidModelError(
            "the file must be a sound HDF5 file",
            layer=label,
            value=reason,
            hint="save the model again; the file may be truncated",
        ) from reason
    attributes = header["attributes"]
    bfloat16 = {key for key, found in attributes.items() if found.get("dtype") == "bfloat16"}
    return Hdf5Contents(attributes, {key: _widened(a) if key in bfloat16 else a for key, a in arrays.items()})


def _widened(array: np.ndarray) -> np.ndarray:
    """bfloat16, which Keras stores as 16-bit integers and marks, as float32."""
    if array.dtype.itemsize != 2:
        return array
    return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
