"""Independent implementations, each in a worker process: TFLM, and LiteRT's reference kernels.

The workers live as long as the tests; an oracle that aborts or hangs costs that call an
OracleCrashed and is started anew for the next. A missing wheel skips the test (fails it where
CI=true). Worker side: tests/oracle_worker.py.
"""

from __future__ import annotations

import atexit
import importlib.util
import io
import os
import select
import struct
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest

TIMEOUT_SECONDS = 120.0
_WORKER = Path(__file__).with_name("oracle_worker.py")
_WHEELS = {"tflm": "tflite_micro", "litert_ref": "ai_edge_litert"}


class OracleCrashed(Exception):
    """The oracle's process died or hung: a fault of the oracle, not a verdict."""


class OracleRefused(Exception):
    """The oracle would not load or run the model; the message has its words."""


def tflm(model: bytes, inputs: Sequence[np.ndarray], *, sequence: bool = False) -> list[np.ndarray]:
    """The outputs of the TFLM interpreter: the bits that the reference must give.

    inputs: one [N, *shape] array per input of the model, of its dtype; outputs likewise.
    sequence: the N samples are consecutive invocations that keep state; else each starts afresh.
    """
    return _worker("tflm").run(model, inputs, sequence)


def litert_ref(model: bytes, inputs: Sequence[np.ndarray], *, sequence: bool = False) -> list[np.ndarray]:
    """Likewise by LiteRT with BUILTIN_REF. NUMERICS.md says for which operators its bits are TFLM's."""
    return _worker("litert_ref").run(model, inputs, sequence)


@cache
def _worker(oracle: str) -> _Worker:
    wheel = _WHEELS[oracle]
    if importlib.util.find_spec(wheel) is None:
        message = f"the {wheel} wheel is not installed, so there is no {oracle} to compare with"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(message)
        pytest.skip(message)
    return _Worker(oracle)


class _Worker:
    def __init__(self, oracle: str) -> None:
        self.oracle = oracle
        self.process: subprocess.Popen[bytes] | None = None
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        atexit.register(self.stop)

    def run(self, model: bytes, inputs: Sequence[np.ndarray], sequence: bool) -> list[np.ndarray]:
        arrays = {f"in{index}": array for index, array in enumerate(inputs)}
        reply = self._exchange(
            {"model": np.frombuffer(model, np.uint8), "sequence": np.bool_(sequence), **arrays}
        )
        if "refused" in reply:
            raise OracleRefused(f"{self.oracle}: {reply['refused']}\n{self._log_tail()}")
        return [reply[f"out{index}"] for index in range(len(reply))]

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _start(self) -> subprocess.Popen[bytes]:
        self.log.truncate(0)
        command = [sys.executable, str(_WORKER), self.oracle]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)

    def _exchange(self, message: dict[str, np.ndarray | np.bool_]) -> dict[str, np.ndarray]:
        if self.process is None:
            self.process = self._start()
        assert self.process.stdin is not None
        packed = io.BytesIO()
        np.savez(packed, **message)  # type: ignore[arg-type]
        try:
            self.process.stdin.write(struct.pack("<Q", packed.tell()) + packed.getvalue())
            self.process.stdin.flush()
            (size,) = struct.unpack("<Q", self._read(8))
            with np.load(io.BytesIO(self._read(size))) as reply:
                return {key: reply[key] for key in reply.files}
        except (BrokenPipeError, EOFError, TimeoutError) as error:
            code = self.process.poll()
            self.stop()
            raise OracleCrashed(f"{self.oracle} ({error!r}, exit {code}): {self._log_tail()}") from error

    def _read(self, count: int) -> bytes:
        assert self.process is not None and self.process.stdout is not None
        file, data = self.process.stdout.fileno(), b""
        while len(data) < count:
            if not select.select([file], [], [], TIMEOUT_SECONDS)[0]:
                raise TimeoutError(f"no answer within {TIMEOUT_SECONDS:.0f} s")
            chunk = os.read(file, count - len(data))
            if not chunk:
                raise EOFError("the worker ended")
            data += chunk
        return data

    def _log_tail(self) -> str:
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")[-2000:]
