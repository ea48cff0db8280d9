"""The child process that opens HDF5 files: `python -m mcu_quant.importers.hdf5_reader FILE`.

HDF5 is a large C library and the file may be hostile, so it is opened here, with limits on memory,
processor time and output, and never in the caller's process. Nothing but numbers and strings leaves
(child.py has the form).
"""

from __future__ import annotations

import contextlib
import math
import sys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mcu_quant.importers.child import REFUSED, Refused, send

MEMORY_BYTES = 3 << 30
#: Damaged files can send HDF5 in circles: so many seconds, and one more for so many bytes.
CPU_SECONDS, CPU_BYTES = 5, 1 << 24
MAX_FILE_BYTES = 1 << 30
#: All arrays together; a microcontroller's model is a thousand times smaller.
MAX_ARRAY_BYTES = 1 << 29
MAX_OBJECTS = 100_000
MAX_PATH = 1024
MAX_TEXT = 1 << 26

#: The attributes that the importers ask for; a list that is too long for one is numbered from 0.
_ATTRIBUTES = ("model_config", "keras_version", "backend", "name", "layer_names", "weight_names", "dtype")
_SKIPPED_GROUPS = ("optimizer_weights", "optimizer", "_optimizer")
_HEADER_BYTES = 1 << 20


def limit_process(file_bytes: int) -> None:
    """Bound memory, processor time and what can be written, where the system can."""
    try:
        import resource
    except ImportError:  # Windows: the caller's time-out and the size checks remain.
        return
    seconds = CPU_SECONDS + file_bytes // CPU_BYTES
    output = MAX_ARRAY_BYTES + MAX_TEXT + _HEADER_BYTES
    for kind, soft, hard in (
        (resource.RLIMIT_AS, MEMORY_BYTES, MEMORY_BYTES),
        (resource.RLIMIT_CPU, seconds, seconds + 1),  # the first is a signal that says why
        (resource.RLIMIT_FSIZE, output, output),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (soft, hard))


def _is_wanted(attribute: str) -> bool:
    return attribute.rstrip("0123456789") in _ATTRIBUTES


def _text(value: Any) -> str | list[str] | None:
    """An attribute as a string or a list of strings; None if it is neither."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        if value.size == 0:
            return []
        items = [_text(item) for item in value.ravel().tolist()]
        return [item for item in items if isinstance(item, str)] if items else []
    return None


class Contents:
    """What has been gathered: attributes by object path, datasets by path."""

    def __init__(self) -> None:
        self.attributes: dict[str, dict[str, str | list[str]]] = {}
        self.datasets: list[tuple[str, Any]] = []
        self.objects = 0
        self.text = 0
        self.array_bytes = 0

    def visit(self, path: str, item: Any) -> None:
        if path.replace("\\", "/").split("/")[0] in _SKIPPED_GROUPS:
            return
        self.objects += 1
        self.text += len(path)
        if len(path) > MAX_PATH:
            raise Refused(f"a path has more than {MAX_PATH} characters")
        if self.objects > MAX_OBJECTS:
            raise Refused(f"more than {MAX_OBJECTS} groups and datasets")
        self._attributes(path, item)
        if hasattr(item, "shape"):
            self._dataset(path, item)

    def _attributes(self, path: str, item: Any) -> None:
        found: dict[str, str | list[str]] = {}
        for name in filter(_is_wanted, item.attrs.keys()):
            value = _text(item.attrs[name])
            if value is None:
                continue
            self.text += len(value) if isinstance(value, str) else sum(map(len, value)) + len(value)
            if self.text > MAX_TEXT:
                raise Refused(f"more than {MAX_TEXT} characters of attributes")
            found[name] = value
        if found:
            self.attributes[path] = found

    def _dataset(self, path: str, item: Any) -> None:
        if item.is_virtual or item.external is not None:
            raise Refused(f"dataset {path} takes its values from another file")
        if item.shape is None or item.dtype.kind not in "fiub" or item.dtype.itemsize > 8:
            return
        self.array_bytes += math.prod(item.shape) * item.dtype.itemsize
        if self.array_bytes > MAX_ARRAY_BYTES:
            raise Refused(f"more than {MAX_ARRAY_BYTES} bytes of arrays")
        if item.chunks is not None and math.prod(item.chunks) * item.dtype.itemsize > MAX_ARRAY_BYTES:
            raise Refused(f"dataset {path} is stored in chunks of more than {MAX_ARRAY_BYTES} bytes")
        self.datasets.append((path, item))


def read(path: str, out: BinaryIO) -> None:
    """Write the contents of the file to out. Raises Refused."""
    import h5py

    limit_process(Path(path).stat().st_size)
    contents = Contents()
    try:
        with h5py.File(path, "r") as file:
            contents.visit("", file)
            file.visititems(contents.visit)  # hard links only, each object once: no cycles, no other files
            arrays = {key: item[()] for key, item in contents.datasets}
            send({"attributes": contents.attributes}, arrays, out)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise Refused(f"the HDF5 library cannot read it: {error}") from error
    except MemoryError as error:
        raise Refused("reading it takes too much memory") from error


def main() -> int:
    try:
        read(sys.argv[1], sys.stdout.buffer)
    except Refused as reason:
        print(reason, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
