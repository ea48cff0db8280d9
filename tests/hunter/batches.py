"""Many deployments for one target, compiled together: one library on this machine, one image on QEMU.

Each model is generated as it ships, with kernels, memory plan and files of its own. Only the compiler is
called once for all: a C file includes the models', another their constants, so that no kernel sees these.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cffi
import numpy as np

from mcu_quant.boards import Board
from mcu_quant.codegen.library import render_library
from mcu_quant.codegen.project import pack_samples, render_sources, unpack_samples
from mcu_quant.deployment import ARENA_ALIGN, Deployment
from mcu_quant.verify.compiler import find_compiler, run_tool
from mcu_quant.verify.image import link_images
from mcu_quant.verify.qemu import emulate

#: -O0 takes a quarter of the time of -O2, with which the images are compiled.
_HOST_FLAGS = ("-std=c99", "-O0", "-ffp-contract=off", "-fPIC", "-shared")
_GUARD_BYTES, _GUARD_VALUE = 64, 0xC5
_BATCH_SECONDS = 120

Outputs = list[np.ndarray]


def run_on_host(deployments: Sequence[Deployment], inputs: Sequence[Sequence[np.ndarray]]) -> list[Outputs]:
    """The outputs of each deployment, [N, *shape], from inputs likewise. Names of deployments differ.

    Raises AssertionError where a run writes outside its arena.
    """
    files: dict[str, str] = {}
    for deployment in deployments:
        files |= render_library(deployment)
    files = together(files, "")
    files["driver.c"] = _driver(deployments)
    with tempfile.TemporaryDirectory(prefix="mcu_quant_") as text:
        folder = Path(text)
        for name, content in files.items():
            (folder / name).write_text(content, encoding="utf-8")
        sources = sorted(name for name in files if name.endswith(".c"))
        run_tool([*find_compiler(), *_HOST_FLAGS, *sources, "-o", "cases.so"], folder)
        ffi = cffi.FFI()
        ffi.cdef(
            "".join(f"void {_entry(d)}(uint8_t *, uint8_t *, int, void **, void **);" for d in deployments)
        )
        library = ffi.dlopen(str(folder / "cases.so"))
        return [_call(ffi, library, *case) for case in zip(deployments, inputs, strict=True)]


def run_on_qemu(
    board: Board, deployments: Sequence[Deployment], inputs: Sequence[Sequence[np.ndarray]]
) -> list[Outputs]:
    """Likewise on the board's machine: by validate.c, with the board's own compiler flags."""
    files = together(render_sources(board, deployments, ("validate.c",)), "model/")
    with tempfile.TemporaryDirectory(prefix="mcu_quant_") as text:
        folder = Path(text)
        (image,) = link_images(board, deployments[0], files, ("validate",), folder)
        for deployment, arrays in zip(deployments, inputs, strict=True):
            (folder / f"{deployment.name}_inputs.bin").write_bytes(pack_samples(arrays))
        emulate(board, image, folder, timeout=_BATCH_SECONDS)
        return [
            unpack_samples((folder / f"{d.name}_outputs.bin").read_bytes(), d.graph.output_tensors())
            for d in deployments
        ]


def together(files: Mapping[str, str], folder: str) -> dict[str, str]:
    """The sources in that folder ("" or "model/") as headers, and up to three files that include them."""
    kinds = {"models.c": r"(?<!_weights)\.c$", "constants.c": r"_weights\.c$", "assembly.S": r"\.S$"}
    result = dict(files)
    for whole, pattern in kinds.items():
        parts = sorted(name for name in files if name.startswith(folder) and re.search(pattern, name))
        for name in parts:
            result[f"{name}.h"] = result.pop(name)
        if parts:
            result[f"{folder}{whole}"] = "".join(
                f'#include "{name.removeprefix(folder)}.h"\n' for name in parts
            )
    return result


def _entry(deployment: Deployment) -> str:
    return f"host_{deployment.name}"


def _driver(deployments: Iterable[Deployment]) -> str:
    """A function for each model that takes its inputs and outputs as arrays of pointers; it resets first."""
    lines = ["#include <stdint.h>"]
    for deployment in deployments:
        graph, name = deployment.graph, deployment.name
        arguments = ["arena", *(["state"] if deployment.plan.state_bytes else [])]
        arguments += [f"in[{k}]" for k in range(len(graph.inputs))]
        arguments += [f"out[{k}]" for k in range(len(graph.outputs))]
        lines += [
            f'#include "{name}.h"',
            f"void {_entry(deployment)}(uint8_t *arena, uint8_t *state, int first, void **in, void **out) {{",
            f"    if (first) {{ {name}_reset(state); }}"
            if deployment.plan.state_bytes
            else "    (void)state; (void)first;",
            f"    {name}_run({', '.join(arguments)});",
            "}",
        ]
    return "\n".join(lines) + "\n"


class _Block:
    """Memory of so many bytes between guards, aligned as an arena."""

    def __init__(self, size: int) -> None:
        block = np.empty(size + 2 * _GUARD_BYTES + ARENA_ALIGN, np.uint8)
        self._block = block[-block.ctypes.data % ARENA_ALIGN :]
        self._block[:] = _GUARD_VALUE
        self._inside = slice(_GUARD_BYTES, _GUARD_BYTES + size)

    @property
    def address(self) -> int:
        return self._block.ctypes.data + _GUARD_BYTES

    def fill(self, rng: np.random.Generator) -> None:
        inside = self._block[self._inside]
        inside[:] = rng.integers(0, 256, len(inside), np.uint8)

    def require_whole(self) -> None:
        guards = (self._block[: self._inside.start], self._block[self._inside.stop :])
        assert all((guard == _GUARD_VALUE).all() for guard in guards), "a run wrote outside its memory"


def _call(ffi: cffi.FFI, library: object, deployment: Deployment, inputs: Sequence[np.ndarray]) -> Outputs:
    """Sample by sample, in an arena that holds garbage, between guards; so does a state before its reset."""
    samples = len(inputs[0])
    inputs = [np.ascontiguousarray(array) for array in inputs]
    outputs = [np.empty((samples, *t.shape), t.dtype) for t in deployment.graph.output_tensors()]
    arena, state = _Block(deployment.plan.arena_bytes), _Block(deployment.plan.state_bytes)
    rng = np.random.default_rng(0)
    state.fill(rng)
    blocks = [ffi.cast("uint8_t *", block.address) for block in (arena, state)]

    def pointers(arrays: Sequence[np.ndarray], sample: int) -> cffi.FFI.CData:
        return ffi.new("void *[]", [ffi.cast("void *", a.ctypes.data + sample * a[0].nbytes) for a in arrays])

    for sample in range(samples):
        arena.fill(rng)
        run = getattr(library, _entry(deployment))
        run(*blocks, int(sample == 0), pointers(inputs, sample), pointers(outputs, sample))
        arena.require_whole()
        state.require_whole()
    return outputs
