"""Child processes that open what we do not trust or do not want loaded here, and send plain data back.

The form on the child's stdout: one line of JSON, {"arrays": [[key, dtype, shape], …], …}, then the
bytes of the arrays in that order. On a refusal: exit code 3 and the reason on stderr.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

REFUSED = 3
MAX_HEADER_BYTES = 1 << 28
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]
_REASON_BYTES = 1 << 16


class Refused(Exception):
    """Raised in the child: the file breaks a limit or a rule; the text is for the user."""


class ChildFailed(Exception):
    """Raised in the parent: what the child said, or what became of it."""


def send(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray], out: BinaryIO) -> None:
    """In the child. Arrays are sent little-endian."""
    prepared = {key: np.ascontiguousarray(a, a.dtype.newbyteorder("<")) for key, a in arrays.items()}
    listing = [[key, array.dtype.str, list(np.shape(arrays[key]))] for key, array in prepared.items()]
    out.write(json.dumps({**header, "arrays": listing}).encode() + b"\n")
    for array in prepared.values():
        out.write(array.tobytes())
    out.flush()


def run_child(module: str, path: Path, timeout: float) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """(header, arrays) of `python -m module path`. Raises ChildFailed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            code = _run(module, path, timeout, out, err)
        except subprocess.TimeoutExpired as expired:
            raise ChildFailed(f"reading it took more than {timeout:g} s") from expired
        if code != 0:
            raise ChildFailed(_reason(code, err))
        try:
            return _received(out)
        except (ValueError, KeyError, TypeError) as error:
            raise ChildFailed(f"its reader sent damaged data: {error}") from error


def _run(module: str, path: Path, timeout: float, out: BinaryIO, err: BinaryIO) -> int:
    """The child's exit code. It imports from where this process does, not from the caller's directory."""
    search = [str(_PACKAGE_ROOT), *(entry for entry in sys.path if entry)]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(search),
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "HDF5_USE_FILE_LOCKING": "FALSE",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    return subprocess.run(
        [sys.executable, "-m", module, str(path.resolve())],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        check=False,
        env=environment,
        cwd=_PACKAGE_ROOT,
        timeout=timeout,
    ).returncode


def _reason(code: int, err: BinaryIO) -> str:
    if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
        return "reading it takes too long for its size"
    size = err.seek(0, os.SEEK_END)
    err.seek(max(0, size - _REASON_BYTES))
    lines = err.read().decode("utf-8", "replace").strip().splitlines()
    last = lines[-1] if lines else ""
    return last if code == REFUSED and last else f"its reader ended with {code}: {last}"


def _received(out: BinaryIO) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    out.seek(0)
    header = json.loads(out.readline(MAX_HEADER_BYTES))
    arrays: dict[str, np.ndarray] = {}
    for key, dtype, shape in header.pop("arrays"):
        count = math.prod(shape)
        data = out.read(count * np.dtype(dtype).itemsize)
        arrays[key] = np.frombuffer(data, dtype, count).reshape(shape)
    return header, arrays
