"""Arrays from .npz files: streamed a few rows at a time, bounded, and never unpickled."""

from __future__ import annotations

import math
import tokenize
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from mcu_quant.archives import DAMAGE
from mcu_quant.errors import InvalidInputError

#: No array may be larger than this, in bytes; what it says of itself is checked before it is read.
MAX_ARRAY_BYTES = 8 * 2**30

#: And NumPy's reader of headers, which parses them as Python literals.
_DAMAGE = (*DAMAGE, SyntaxError, tokenize.TokenError, TypeError)


@dataclass(frozen=True)
class NpzArray:
    """One array of an open file, not yet read. dtype is bool, an integer or a floating type."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran_order: bool
    source: Npz

    def rows(self, count: int) -> Iterator[np.ndarray]:
        """The array in pieces of up to count along its first axis, in order."""
        if self.fortran_order:
            whole = self.read()
            yield from (whole[start : start + count] for start in range(0, len(whole), count))
            return
        row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
        with self.source.open(self.name) as stream:
            for start in range(0, self.shape[0], count):
                taken = min(count, self.shape[0] - start)
                data = self.source.take(stream, self.name, taken * row_bytes)
                yield np.frombuffer(data, self.dtype).reshape(taken, *self.shape[1:])

    def read(self) -> np.ndarray:
        with self.source.open(self.name) as stream:
            size = math.prod(self.shape) * self.dtype.itemsize
            data = self.source.take(stream, self.name, size)
        return np.frombuffer(data, self.dtype).reshape(self.shape, order="F" if self.fortran_order else "C")


class Npz:
    """An open .npz file. Raises InvalidInputError for whatever is wrong with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise InvalidInputError(
                "there is no such file", layer=str(path), hint="check the path of the .npz file"
            )
        try:
            self._zip = zipfile.ZipFile(path)
        except DAMAGE as error:
            raise InvalidInputError(
                "the file must be a .npz archive",
                layer=str(path),
                value=error,
                hint="numpy.savez(path, x=samples)",
            ) from error
        self.names = [name.removesuffix(".npy") for name in self._zip.namelist() if name.endswith(".npy")]
        if not self.names:
            raise InvalidInputError(
                "the file must hold at least one array", layer=str(path), hint="numpy.savez(path, x=samples)"
            )

    def __enter__(self) -> Npz:
        return self

    def __exit__(self, *exc: object) -> None:
        self._zip.close()

    def array(self, name: str) -> NpzArray:
        """The array of that name, its header read and checked against the size of its file."""
        info = self._zip.getinfo(f"{name}.npy")
        try:
            with self._zip.open(info) as stream:
                shape, fortran_order, dtype = _read_header(stream)
                header_bytes = stream.tell()
        except _DAMAGE as error:
            raise self._damaged(name, error) from error
        size = math.prod(shape) * dtype.itemsize
        if dtype.kind not in "iufb":
            raise InvalidInputError(
                "arrays must hold plain numbers", layer=f"{self.path}:{name}", value=dtype
            )
        if size > MAX_ARRAY_BYTES or size != info.file_size - header_bytes:
            raise self._damaged(
                name, f"{size} bytes by its header, {info.file_size - header_bytes} in the file"
            )
        return NpzArray(name, tuple(shape), dtype, fortran_order, self)

    def open(self, name: str) -> IO[bytes]:
        """The array's bytes, its header skipped."""
        try:
            stream = self._zip.open(f"{name}.npy")
            _read_header(stream)
        except _DAMAGE as error:
            raise self._damaged(name, error) from error
        return stream

    def take(self, stream: IO[bytes], name: str, size: int) -> bytes:
        try:
            data = stream.read(size)
        except _DAMAGE as error:
            raise self._damaged(name, error) from error
        if len(data) != size:
            raise self._damaged(name, f"{len(data)} bytes where {size} should be")
        return data

    def _damaged(self, name: str, reason: object) -> InvalidInputError:
        return InvalidInputError(
            "the array cannot be read",
            layer=f"{self.path}:{name}",
            value=reason,
            hint="write the file anew with numpy.savez, without pickled objects",
        )


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise ValueError(f"npy format version {version}")
