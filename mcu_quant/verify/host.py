"""The generated C on this machine: compiled here, driven through cffi, or under sanitizers."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cffi
import numpy as np

from mcu_quant.codegen.library import render_library
from mcu_quant.codegen.templates import environment
from mcu_quant.deployment import ARENA_ALIGN, Deployment
from mcu_quant.errors import EngineFailedError
from mcu_quant.ir import Tensor
from mcu_quant.verify.compiler import find_compiler, run_tool

_FLAGS = ("-std=c99", "-O2", "-ffp-contract=off")
_SANITIZERS = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
_CANARY_BYTES = 64
_WINDOWS = sys.platform == "win32"


class HostEngine:
    """A deployment's C library, built when the engine is made.

    compiler: a command; $CC, cc, gcc or clang by default. flags: after the default ones. sanitize: run
    under the address and undefined-behaviour sanitizers, in a process of its own, with arenas of the
    exact size. An arena holds other garbage before every sample. Each `run` begins with a reset of states.
    Raises ToolMissingError without a compiler; EngineFailedError if code does not compile or run.
    """

    name = "host"

    def __init__(
        self,
        deployment: Deployment,
        *,
        compiler: str | None = None,
        flags: Sequence[str] = (),
        sanitize: bool = False,
    ) -> None:
        self._inputs = deployment.graph.input_tensors()
        self._outputs = deployment.graph.output_tensors()
        plan = deployment.plan
        self._arenas = [plan.arena_bytes, *([plan.fast_arena_bytes] if plan.is_split else [])]
        self._arenas += [plan.state_bytes] if plan.state_bytes else []
        self._sanitize = sanitize
        self._directory = tempfile.TemporaryDirectory(prefix="mcu_quant_", ignore_cleanup_errors=True)
        self._path = Path(self._directory.name)
        files = render_library(deployment) | _render_driver(deployment, sanitize)
        for file, text in files.items():
            (self._path / file).write_text(text, encoding="utf-8", newline="\n")
        self._build(find_compiler(compiler), flags, sorted(file for file in files if file.endswith(".c")))

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """[N, *shape] raw quantized arrays in and out."""
        arrays = [_checked(x, tensor) for x, tensor in zip(inputs, self._inputs, strict=True)]
        return self._run_program(arrays) if self._sanitize else self._run_library(arrays)

    def _build(self, compiler: list[str], flags: Sequence[str], sources: list[str]) -> None:
        self._binary = self._path / (
            "model.exe" if self._sanitize else "model.dll" if _WINDOWS else "model.so"
        )
        kind = list(_SANITIZERS) if self._sanitize else ["-shared", *([] if _WINDOWS else ["-fPIC"])]
        run_tool([*compiler, *_FLAGS, *kind, *flags, *sources, "-o", str(self._binary)], self._path)
        if not self._sanitize:
            self._ffi = cffi.FFI()
            self._ffi.cdef("int64_t mq_host_run(int64_t, void *const *, void *const *, uint8_t *const *);")
            self._library = self._ffi.dlopen(str(self._binary))

    def _run_library(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        samples = len(inputs[0])
        outputs = [np.empty((samples, *tensor.shape), tensor.dtype) for tensor in self._outputs]
        blocks = [np.empty(size + 2 * _CANARY_BYTES + ARENA_ALIGN, np.uint8) for size in self._arenas]
        starts = [b.ctypes.data + -b.ctypes.data % ARENA_ALIGN + _CANARY_BYTES for b in blocks]
        arenas = self._ffi.new("uint8_t *[]", [self._ffi.cast("uint8_t *", start) for start in starts])
        failed = self._library.mq_host_run(samples, self._pointers(inputs), self._pointers(outputs), arenas)
        if failed:
            raise EngineFailedError(
                "a run must not write outside its arena", layer=self.name, value=f"sample {failed - 1}"
            )
        return outputs

    def _pointers(self, arrays: Sequence[np.ndarray]) -> cffi.FFI.CData:
        return self._ffi.new("void *[]", [self._ffi.cast("void *", array.ctypes.data) for array in arrays])

    def _run_program(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        samples = len(inputs[0])
        rows = [array.reshape(samples, -1).view(np.uint8) for array in inputs]
        (self._path / "inputs.bin").write_bytes(np.concatenate(rows, axis=1).tobytes())
        run_tool([str(self._binary)], self._path, {"ASAN_OPTIONS": "detect_leaks=0"})
        written = np.fromfile(self._path / "outputs.bin", np.uint8).reshape(samples, -1)
        ends = np.cumsum([tensor.bytes for tensor in self._outputs])
        return [
            np.ascontiguousarray(written[:, end - tensor.bytes : end])
            .view(tensor.dtype)
            .reshape(-1, *tensor.shape)
            for end, tensor in zip(ends, self._outputs, strict=True)
        ]


def _render_driver(deployment: Deployment, sanitize: bool) -> dict[str, str]:
    context = {
        "name": deployment.name,
        "macro": deployment.name.upper(),
        "is_split": deployment.plan.is_split,
        "has_state": deployment.plan.state_bytes > 0,
        "inputs": [tensor.bytes for tensor in deployment.graph.input_tensors()],
        "outputs": [tensor.bytes for tensor in deployment.graph.output_tensors()],
        "export": "__declspec(dllexport) " if _WINDOWS else "",
    }
    program = "sanitized" if sanitize else "shared"
    templates = {"driver.h": "driver.h.j2", f"mq_host_{program}.c": f"{program}.c.j2"}
    return {
        file: environment("host").get_template(template).render(context)
        for file, template in templates.items()
    }


def _checked(array: np.ndarray, tensor: Tensor) -> np.ndarray:
    assert array.shape[1:] == tensor.shape, f"{tensor.name}: {array.shape} is not [N, *{tensor.shape}]"
    assert array.dtype == np.dtype(tensor.dtype), f"{tensor.name}: {array.dtype} is not {tensor.dtype}"
    return np.ascontiguousarray(array)
