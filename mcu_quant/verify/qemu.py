"""QEMU as an engine: samples stream through one linked image by semihosting files."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from mcu_quant.boards import Board
from mcu_quant.codegen.project import pack_samples, qemu_arguments, unpack_samples
from mcu_quant.deployment import Deployment
from mcu_quant.errors import EngineFailedError
from mcu_quant.verify.image import build_images
from mcu_quant.verify.tools import find_tool

_POLL_SECONDS = 0.02


class QemuEngine:
    """run: [N, *shape] raw quantized arrays in and out, on the board's machine.

    The image is built on the first run. timeout: seconds that one sample may take (on an emulator
    that does some 10**8 instructions a second); an image that takes longer is stopped and reported.
    processes: how many emulators share the samples.
    """

    def __init__(
        self, deployment: Deployment, board: Board, *, timeout: float = 60.0, processes: int | None = None
    ) -> None:
        self.name = board.name
        self._deployment = deployment
        self._board = board
        self._timeout = timeout
        self._processes = processes or os.cpu_count() or 1
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def build(self) -> Path:
        """The linked image; built once. Raises DoesNotFitError, ToolMissingError."""
        if self._folder is None:
            folder = tempfile.TemporaryDirectory(prefix="mcu_quant_")
            build_images(self._board, self._deployment, ("validate",), Path(folder.name))
            self._folder = folder
        return Path(self._folder.name) / "validate.elf"

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        image = self.build()
        graph = self._deployment.graph
        samples = len(inputs[0])
        for array, tensor in zip(inputs, graph.input_tensors(), strict=True):
            assert array.shape == (samples, *tensor.shape) and array.dtype == tensor.dtype, tensor.name
        processes = 1 if graph.states else self._processes
        parts = np.array_split(np.arange(samples), max(1, min(processes, samples)))
        with ThreadPoolExecutor(len(parts)) as pool:
            jobs = [pool.submit(self._run_part, image, [x[part] for x in inputs]) for part in parts]
            outputs = b"".join(job.result() for job in jobs)
        return unpack_samples(outputs, graph.output_tensors())

    def _run_part(self, image: Path, inputs: list[np.ndarray]) -> bytes:
        name = self._deployment.name
        sample_bytes = sum(tensor.bytes for tensor in self._deployment.graph.output_tensors())
        with tempfile.TemporaryDirectory(prefix="mcu_quant_") as text:
            folder = Path(text)
            (folder / f"{name}_inputs.bin").write_bytes(pack_samples(inputs))
            outputs = folder / f"{name}_outputs.bin"
            outputs.touch()
            emulate(self._board, image, folder, timeout=self._timeout, progress=outputs)
            data = outputs.read_bytes()
        if len(data) != sample_bytes * len(inputs[0]):
            raise EngineFailedError(
                "the image must give an output for every sample",
                layer=f"{name} on {self._board.name}",
                value=f"{len(data)} bytes for {len(inputs[0])} samples of {sample_bytes}",
            )
        return data


def emulate(
    board: Board,
    image: Path,
    folder: Path,
    *,
    timeout: float,
    arguments: Sequence[str] = (),
    progress: Path | None = None,
) -> str:
    """Run an image on QEMU with folder as its working directory, and return what it printed.

    timeout: seconds without an end, or without growth of the file `progress`. Raises EngineFailedError
    if the image hangs or exits with another status than 0.
    """
    command = [
        find_tool("qemu-system-arm"),
        *qemu_arguments(board),
        *arguments,
        "-kernel",
        str(image.resolve()),
    ]
    log = folder / "qemu.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
        )
        try:
            hung = not _wait(process, timeout, progress)
        finally:
            process.kill()
            process.wait()
    printed = log.read_text(encoding="utf-8", errors="replace")
    if hung:
        done = "" if progress is None else f", {progress.stat().st_size} bytes of output written"
        raise EngineFailedError(
            f"the image must get on within {timeout:g} s",
            layer=f"{image.stem} on {board.name}",
            value=f"no progress, stopped{done}{_tail(printed)}",
            hint="a larger time-out if the model is huge; else the program hangs",
        )
    if process.returncode:
        raise EngineFailedError(
            "the image must exit with status 0",
            layer=f"{image.stem} on {board.name}",
            value=f"status {process.returncode}{_tail(printed)}",
        )
    return printed


def _wait(process: subprocess.Popen[bytes], timeout: float, progress: Path | None) -> bool:
    """True when the process has ended, False if it made no progress for too long."""
    size, deadline = -1, time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            process.wait(_POLL_SECONDS)
            return True
        except subprocess.TimeoutExpired:
            now = progress.stat().st_size if progress is not None else size
            if now != size:
                size, deadline = now, time.monotonic() + timeout
    return False


def _tail(printed: str) -> str:
    text = " ".join(printed.split())
    return f"; it printed: {text[-600:]}" if text else "; it printed nothing"
