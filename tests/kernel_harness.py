"""Run any kernel on the host with run-time parameters: all kernels compiled once into one library.

The kernels' own headers say their parameters and arguments; a small parser turns them into what
cffi reads. Every buffer a kernel may write lies between canaries. With MCU_QUANT_SANITIZE=1 (and
the address sanitizer preloaded, as tests/ops/test_sanitized.py does) the library is built with
sanitizers and buffers end where the tensor ends, so that reads past the end are caught, too.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest

from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Activation, Assembly, Constant, Kernel, KernelCall, Scratch
from mcu_quant.ops import OPERATORS

TEMPLATES = Path(__file__).parents[1] / "templates" / "kernels"
SANITIZED = os.environ.get("MCU_QUANT_SANITIZE") == "1"
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
SANITIZERS = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
_CANARY, _GUARD_BYTES = 0xA5, 0 if SANITIZED else 64
_SCALAR_TYPES = {
    "int8": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "uint16": "uint16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float32": "float",
}


@dataclass(frozen=True)
class Signature:
    """What a kernel's header says. params: the fields' names; arguments: C declarations."""

    typedef: str
    params: tuple[str, ...]
    arguments: tuple[str, ...]


def parse_header(name: str, text: str) -> Signature:
    """The parameter struct and the function of the kernel of that name."""
    plain = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    struct = re.search(r"typedef struct \{([^}]*)\} mq_" + name + r"_params_t;", plain)
    function = re.search(r"MQ_KERNEL void\s+mq_" + name + r"\(([^)]*)\)", plain)
    assert struct is not None and function is not None, f"{name}: header has no parameters or no function"
    fields = tuple(re.findall(r"(\w+)\s*(?:\[\w+\])?;", struct.group(1)))
    arguments = tuple(" ".join(argument.split()) for argument in function.group(1).split(","))
    return Signature(struct.group(0), fields, arguments)


@cache
def signatures() -> dict[str, Signature]:
    """Of every kernel that has C, by name."""
    return {
        kernel.function: parse_header(kernel.function, header_path(kernel).read_text("utf-8"))
        for kernel in KERNELS
        if not kernel.is_alias
    }


def header_path(kernel: Kernel) -> Path:
    return TEMPLATES / kernel.family / f"{kernel.function}.h"


def wrapper_source() -> str:
    """One C file that gives every kernel external linkage, as call_<name>, and every twin an address."""
    lines = []
    for name, signature in signatures().items():
        names = ", ".join(_passed_on(argument) for argument in signature.arguments)
        prototype = f"void call_{name}({', '.join(map(_opaque, signature.arguments))})"
        lines += [f'#include "mq_{name}.h"', f"{prototype};", f"{prototype} {{ mq_{name}({names}); }}"]
    for twin in twins():
        getter = f"void (*address_of_{twin}(void))(void)"
        lines += [f"{getter};", f"{getter} {{ return (void (*)(void)){twin}; }}"]
    return "\n".join(lines) + "\n"


@cache
def twins() -> tuple[str, ...]:
    """The C twins of functions in assembly, in all kernels' headers."""
    texts = [path.read_text("utf-8") for path in sorted(TEMPLATES.glob("**/*.h"))]
    return tuple(dict.fromkeys(re.findall(r"MQ_TWIN void\s+(mq_\w+_twin)\(", "\n".join(texts))))


def _passed_on(argument: str) -> str:
    name = argument.split("*")[-1].strip()
    return f"({_type_of(argument)} *){name}" if _is_function(argument) else name


def _opaque(argument: str) -> str:
    """A function's pointer as cffi can take it."""
    return f"void (*{argument.split('*')[-1].strip()})(void)" if _is_function(argument) else argument


def _is_function(argument: str) -> bool:
    return _type_of(argument).endswith("_function_t")


def _type_of(argument: str) -> str:
    return argument.replace("const ", "").rsplit("*", 1)[0].strip()


def compile_kernels(compiler: str, flags: Sequence[str], output: Path, *modes: str) -> None:
    """Compile the wrapper; raises CalledProcessError with the compiler's words on stderr."""
    source = output.with_suffix(".c")
    source.write_text(wrapper_source(), "utf-8")
    families = sorted({kernel.family for kernel in KERNELS})
    folders = [f"-I{folder}" for folder in (TEMPLATES, source.parent, *(TEMPLATES / f for f in families))]
    for kernel in KERNELS:
        if not kernel.is_alias:
            shutil.copy(header_path(kernel), source.parent / f"mq_{kernel.function}.h")
    command = [compiler, *WARNINGS, *flags, *folders, *modes, str(source), "-o", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"


@cache
def _library() -> tuple[cffi.FFI, Any]:
    compiler = os.environ.get("CC", "gcc")
    if shutil.which(compiler) is None:
        pytest.skip(f"there is no {compiler} to compile the kernels with")
    folder = tempfile.TemporaryDirectory(prefix="mcu_quant_kernels_")
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "kernels.so"
    compile_kernels(compiler, SANITIZERS if SANITIZED else ["-O2"], path, "-shared", "-fPIC")
    ffi = cffi.FFI()
    for name, signature in signatures().items():
        ffi.cdef(f"{signature.typedef}\nvoid call_{name}({', '.join(map(_opaque, signature.arguments))});")
    for twin in twins():
        ffi.cdef(f"void (*address_of_{twin}(void))(void);")
    return ffi, ffi.dlopen(str(path))


class Buffer:
    """Bytes between canaries."""

    def __init__(self, size: int) -> None:
        self.array = np.full(size + 2 * _GUARD_BYTES, _CANARY, np.uint8)
        self.data = self.array[_GUARD_BYTES : _GUARD_BYTES + size]

    def check(self, name: str) -> None:
        guards = np.concatenate([self.array[:_GUARD_BYTES], self.array[_GUARD_BYTES + self.data.size :]])
        assert (guards == _CANARY).all(), f"{name}: the kernel wrote outside its buffer"


def run_kernel(
    kernel: Kernel,
    node: BoundNode,
    inputs: Sequence[np.ndarray | None],
    *,
    overlapped: bool = False,
    which: int = 0,
    call: KernelCall | None = None,
) -> list[np.ndarray]:
    """The node's outputs by the kernel's C. inputs, outputs: [N, *shape], constants their own shape.

    overlapped: input `which` lies as near to the output as Kernel.overlap or in_place allows.
    call: what kernel.call(node) gives, if it is known already, or another call in its place.
    """
    over = which if overlapped else None
    samples = max(len(x) for x, tensor in zip(inputs, node.inputs, strict=True) if _is_activation(tensor))
    outputs: list[list[np.ndarray]] = []
    call = kernel.call(node) if call is None else call
    for sample in range(samples):
        one = [
            None if x is None else x[sample] if _is_activation(tensor) else x
            for x, tensor in zip(inputs, node.inputs, strict=True)
        ]
        outputs.append(_run_sample(kernel, node, call, one, over))
    return [np.stack(values) for values in zip(*outputs, strict=True)]


def _is_activation(tensor: Tensor | None) -> bool:
    return tensor is not None and not tensor.is_constant


def _run_sample(
    kernel: Kernel, node: BoundNode, call: KernelCall, inputs: Sequence[np.ndarray | None], over: int | None
) -> list[np.ndarray]:
    changed = OPERATORS[node.node.op].state_inputs
    buffers = {tensor.name: Buffer(tensor.bytes) for tensor in node.outputs}
    views = {name: buffer.data for name, buffer in buffers.items()}
    for index, (value, tensor) in enumerate(zip(inputs, node.inputs, strict=True)):
        if value is None or tensor is None:
            continue
        raw = np.ascontiguousarray(value).view(np.uint8).reshape(-1)
        if index in changed:
            views[tensor.name] = views[node.outputs[changed[index]].name]
        elif index == over:
            views |= _overlapped(kernel, node, buffers, index)
        else:
            buffers[tensor.name] = Buffer(raw.size)
            views[tensor.name] = buffers[tensor.name].data
        views[tensor.name][:] = raw
    buffers["scratch"] = Buffer(kernel.scratch_bytes(node))
    _call(kernel, call, views, buffers["scratch"].data)
    for name, buffer in buffers.items():
        buffer.check(f"{node.name}, {name}")
    for index, (value, tensor) in enumerate(zip(inputs, node.inputs, strict=True)):
        if value is not None and tensor is not None and over is None and index not in changed:
            raw = np.ascontiguousarray(value).view(np.uint8).reshape(-1)
            assert (views[tensor.name] == raw).all(), f"{node.name}: the kernel changed {tensor.name}"
    return [views[t.name].view(np.dtype(t.dtype)).reshape(t.shape).copy() for t in node.outputs]


def _overlapped(
    kernel: Kernel, node: BoundNode, buffers: dict[str, Buffer], which: int
) -> dict[str, np.ndarray]:
    """Views of an input and of the output in one buffer, at the least distance allowed."""
    x, y = node.input(which), node.output
    distance = 0 if which == 0 and kernel.in_place(node) else kernel.overlap(node)[which]
    assert distance is not None
    start = max(-distance, 0)
    buffers[y.name] = shared = Buffer(max(start + y.bytes, start + distance + x.bytes))
    return {
        y.name: shared.data[start : start + y.bytes],
        x.name: shared.data[start + distance : start + distance + x.bytes],
    }


def _params(kernel: Kernel, call: KernelCall) -> Any:
    ffi, _ = _library()
    expected = signatures()[kernel.function]
    assert tuple(call.params) == expected.params, (
        f"{kernel.name}: {tuple(call.params)} is not {expected.params}"
    )
    assert len(call.arguments) + 1 == len(expected.arguments), f"{kernel.name}: {expected.arguments}"
    params = ffi.new(f"mq_{kernel.function}_params_t *")
    for name, value in call.params.items():
        setattr(params, name, list(value) if isinstance(value, tuple) else value)
    return params


def params_bytes(kernel: Kernel, call: KernelCall) -> bytes:
    """The parameter struct as memory has it; fields are integers of fixed size, so every core agrees."""
    ffi, _ = _library()
    return bytes(ffi.buffer(_params(kernel, call)))


def _call(kernel: Kernel, call: KernelCall, views: dict[str, np.ndarray], scratch: np.ndarray) -> None:
    ffi, library = _library()
    params = _params(kernel, call)
    expected = signatures()[kernel.function]
    kept, pointers = [], []
    for argument, declared in zip(call.arguments, expected.arguments[1:], strict=True):
        c_type = _type_of(declared)
        if isinstance(argument, Assembly):
            assert c_type == argument.function_type, f"{kernel.name}: {argument.function_type}"
            pointers.append(getattr(library, f"address_of_{argument.twin}")())
            continue
        if isinstance(argument, Constant):
            allowed = (_SCALAR_TYPES[argument.data.dtype.name], "void")
            assert c_type in allowed, f"{kernel.name}: {argument.label}"
        kept.append(_argument(argument, views, scratch))
        pointers.append(ffi.cast(f"{c_type} *", kept[-1].ctypes.data))
    getattr(library, f"call_{kernel.function}")(params, *pointers)


def _argument(
    argument: Activation | Constant | Scratch, views: dict[str, np.ndarray], scratch: np.ndarray
) -> np.ndarray:
    if isinstance(argument, Activation):
        return views[argument.tensor]
    if isinstance(argument, Constant):
        return np.ascontiguousarray(argument.data).copy()
    return scratch
