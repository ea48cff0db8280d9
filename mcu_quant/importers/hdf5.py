"""HDF5 files, read by a child process (hdf5_reader.py) in bounded memory and time."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mcu_quant.errors import InvalidModelError
from mcu_quant.importers import hdf5_reader

TIMEOUT_SECONDS = 120.0
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_REASON_BYTES = 4096


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
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            code = _run_reader(path, out, err)
        except subprocess.TimeoutExpired as expired:
            raise InvalidModelError(
                f"the HDF5 file must be readable within {expired.timeout:.0f} s",
                layer=label,
                hint="save the model again",
            ) from expired
        if code != 0:
            err.seek(0)
            reason = err.read(_REASON_BYTES).decode("utf-8", "replace").strip().splitlines()
            raise InvalidModelError(
                "the file must be a sound HDF5 file",
                layer=label,
                value=reason[-1] if reason else f"the reader ended with {code}",
                hint="save the model again; the file may be truncated",
            )
        return _parse(out, label)


def _run_reader(path: Path, out: BinaryIO, err: BinaryIO) -> int:
    """The child's exit code. It imports from where this process imports."""
    package_root = Path(hdf5_reader.__file__).resolve().parents[2]
    search = [str(package_root), *(entry for entry in sys.path if entry)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(search),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "HDF5_USE_FILE_LOCKING": "FALSE",
    }
    command = [sys.executable, "-m", hdf5_reader.__name__, str(path.resolve())]
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        check=False,
        env=environment,
        cwd=package_root,
        timeout=TIMEOUT_SECONDS,
    ).returncode


def _parse(out: BinaryIO, label: str) -> Hdf5Contents:
    size = out.seek(0, os.SEEK_END)
    out.seek(0)
    try:
        header = json.loads(out.readline(min(size, 4 * hdf5_reader.MAX_TEXT)))
        arrays: dict[str, np.ndarray] = {}
        for path, dtype, shape in header["datasets"]:
            count = math.prod(shape)
            data = out.read(count * np.dtype(dtype).itemsize)
            arrays[path] = np.frombuffer(data, dtype, count).reshape(shape)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidModelError("the file must be a sound HDF5 file", layer=label, value=error) from error
    return Hdf5Contents(header["attributes"], {path: _widened(path, a, header) for path, a in arrays.items()})


def _widened(
    path: str, array: np.ndarray, header: Mapping[str, Mapping[str, Mapping[str, str]]]
) -> np.ndarray:
    """bfloat16 (which Keras stores as 16-bit integers, and says so) as float32; the rest as it is."""
    if header["attributes"].get(path, {}).get("dtype") == "bfloat16" and array.dtype.itemsize == 2:
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array
