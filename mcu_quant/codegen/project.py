"""A firmware project for a board: what an engineer copies into a product, and what QEMU runs.

Everything is under one directory: Makefile (or what the format has instead), README.md, main.c,
validate.c (where the port has files), model/ (the library), board/ (start-up, port, timer, UART, linker
script). templates/firmware has the common files, the format those of its build system; a file of the same
name in boards/<name>/ takes its place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mcu_quant import __version__
from mcu_quant.boards import RAM_SECTION, Board, Section, Timer, require_qemu
from mcu_quant.codegen.library import library_tables, render_library
from mcu_quant.codegen.literals import C_TYPES, real
from mcu_quant.codegen.templates import environment
from mcu_quant.deployment import ARENA_ALIGN, Deployment
from mcu_quant.formats import USUAL, Format, load_format
from mcu_quant.ir import Tensor
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.ops.tolerance import output_tolerances

#: The compiler's level for each --optimize. In mode "time" every call of a kernel is inlined already: -O3
#: then doubles the code (kws on Cortex-M4: 12.7 kB for 5.8) for -3 to +6 % of the instructions.
OPTIMIZE_FLAGS = {"time": "-O2", "balanced": "-O2", "size": "-Os"}
C_FLAGS = (
    "-std=c99",
    "-ffunction-sections",
    "-fdata-sections",
    "-ffp-contract=off",
    "-fno-delete-null-pointer-checks",  # else GCC 12 can drop calls: see MQ_HAS_EFFECTS in model.c.j2
)
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow")
LINK_FLAGS = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,--fatal-warnings")
QEMU_ARGUMENTS = (
    "-display none",
    "-monitor none",
    "-semihosting-config enable=on,target=native",
)

#: Where `make serve` has the UART of a board on QEMU.
_SERVED_AT = "tcp:localhost:$(PORT),server=on,wait=off,nodelay=on"
#: Bytes of data in a frame of serve.c; fewer on a board with little RAM, which holds two frames.
_CHUNK_BYTES, _SMALL_CHUNK_BYTES, _SMALL_RAM_BYTES = 256, 64, 2**15

#: File in board/ and the common file it comes from.
_BOARD_FILES = {
    "startup.c": "startup.c",
    "board.c": "board.c",
    "report.c": "report.c",
    "port.h": "port.h",
    "uart.h": "uart.h",
    "frames.c": "frames.c",
    "frames.h": "frames.h",
    "board.h": "board.h.j2",
    "linker.ld": "linker.ld.j2",
}
#: How programs talk to the host, and the port.c of it.
PORTS = {"semihosting": "port_semihosting.c", "uart": "port_uart.c"}


def compile_flags(board: Board, optimize: str) -> list[str]:
    """The flags that decide what the compiler makes; warnings are apart."""
    return [*C_FLAGS, OPTIMIZE_FLAGS[optimize], *board.cpu_flags]


def qemu_arguments(board: Board, console: str | None = None) -> list[str]:
    """Everything after qemu-system-arm but `-kernel IMAGE`.

    console: where the board's UART goes, as QEMU's -serial has it; by default nowhere. Raises
    InvalidInputError if no machine models the board.
    """
    serial = ["none"] if console is None else [*["null"] * board.qemu_serial, console]
    parts = (f"-M {require_qemu(board)}", *QEMU_ARGUMENTS, *(f"-serial {device}" for device in serial))
    return [word for words in parts for word in words.split()]


def render_project(
    board: Board, deployments: Sequence[Deployment], form: Format | None = None
) -> dict[str, str]:
    """Relative path → text of the whole project. The deployments are for the board's core.

    form: a format that has projects, by default that of make.
    """
    form = form or load_format(USUAL)
    programs = ("main.c", "serve.c") if board.qemu is None else ("main.c", "validate.c", "serve.c")
    files = render_sources(board, deployments, programs)
    context = {
        "board": board,
        "models": [model_facts(deployment) for deployment in deployments],
        "optimize": OPTIMIZE_FLAGS[deployments[0].options.optimize],
        "warnings": WARNINGS,
        "c_flags": C_FLAGS,
        "link_flags": LINK_FLAGS,
        "qemu_arguments": None if board.qemu is None else qemu_arguments(board),
        "serve_arguments": None if board.qemu is None else qemu_arguments(board, _SERVED_AT),
        "model_sources": _sources(files, "model/"),
        "board_sources": _sources(files, "board/"),
        "sections": placed_sections(board, deployments),
    }
    kind = f"formats/{form.name}/project"
    for template in form.templates("project"):
        files[template.removesuffix(".j2")] = _render(board, template, context, kind)
    return files


def _sources(files: Mapping[str, str], folder: str) -> list[str]:
    return sorted(path for path in files if path.startswith(folder) and path.endswith((".c", ".S")))


def render_sources(
    board: Board, deployments: Sequence[Deployment], programs: Sequence[str], port: str | None = None
) -> dict[str, str]:
    """model/, board/ and those of "main.c", "validate.c", "serve.c" and "profile.c" (of the first model).

    port: a key of PORTS; by default semihosting where QEMU has the board, else its UART.
    """
    port = port or ("uart" if board.qemu is None else "semihosting")
    models = [model_facts(deployment) for deployment in deployments]
    sections = placed_sections(board, deployments)
    main, fast = deployments[0].options.placement.arena_sections
    arenas = [("memory", "ARENA_BYTES", main, models)]
    arenas += [("fast_memory", "FAST_ARENA_BYTES", fast, models)] if deployments[0].plan.is_split else []
    stateful = [model for model in models if model["state_bytes"]]
    arenas += [("state_memory", "STATE_BYTES", RAM_SECTION, stateful)] if stateful else []
    context = {
        "board": board,
        "timer": _timer(board, port),
        "models": models,
        "model": models[0],
        "sections": sections,
        "arena_sections": (main, fast),
        "arenas": arenas,
        "memories": _memories(board, deployments),
        "chunk_bytes": _SMALL_CHUNK_BYTES if board.ram_bytes < _SMALL_RAM_BYTES else _CHUNK_BYTES,
        "descriptions": [_description(board, deployment, _timer(board, port)) for deployment in deployments],
    }
    files = {name: _render(board, f"{name}.j2", context) for name in programs}
    for deployment in deployments:
        files |= {f"model/{name}": text for name, text in render_library(deployment).items()}
    for name, source in board_files(board, port).items():
        files[f"board/{name}"] = _render(board, source, context)
    return files


def board_files(board: Board, port: str) -> dict[str, str]:
    """File in board/ → the file that it is made from, in the board's directory or in templates/firmware."""
    timer, uart = _timer(board, port).source, board.console.source
    common = {
        **_BOARD_FILES,
        "port.c": PORTS[port],
        "timer.c": timer,
        "uart.c": uart,
        "board.toml": "board.toml",
    }
    known = {*common, *common.values(), board.timer.source, board.qemu_timer.source}
    own = [path.name for path in sorted(board.files.iterdir()) if path.suffix in (".c", ".h", ".S")]
    return common | {name: name for name in (*board.shared, *(name for name in own if name not in known))}


def _timer(board: Board, port: str) -> Timer:
    return board.qemu_timer if port == "semihosting" else board.timer


def placed_sections(board: Board, deployments: Sequence[Deployment]) -> list[Section]:
    """The board's sections that weights of these models go to."""
    used = {table.section for deployment in deployments for table in library_tables(deployment)}
    return [section for section in board.sections if section.name in used]


def _memories(board: Board, deployments: Sequence[Deployment]) -> list[tuple[Section, bool]]:
    """What the linker script needs beside flash and RAM, and whether an arena is there."""
    arenas = deployments[0].options.placement.arena_sections
    placed = placed_sections(board, deployments)
    return [
        (section, section.name in arenas)
        for section in board.sections
        if section.name != RAM_SECTION and (section in placed or section.name in arenas)
    ]


def render_vectors(deployment: Deployment, inputs: Sequence[np.ndarray]) -> dict[str, bytes]:
    """What `make validate` runs: those inputs, raw [N, *shape], and the outputs that the reference gives."""
    expected = run_graph(deployment.reference, inputs)
    return {
        f"vectors/{deployment.name}_inputs.bin": pack_samples(inputs),
        f"vectors/{deployment.name}_expected.bin": pack_samples(expected),
    }


def pack_samples(arrays: Sequence[np.ndarray]) -> bytes:
    """[N, …] arrays, raw, as <model>_inputs.bin and <model>_expected.bin have them: sample by sample."""
    rows = [np.ascontiguousarray(a).reshape(len(a), math.prod(a.shape[1:])).view(np.uint8) for a in arrays]
    return np.concatenate(rows, axis=1).tobytes()


def unpack_samples(data: bytes, tensors: Sequence[Tensor]) -> list[np.ndarray]:
    """The inverse, for tensors whose batch is 1: arrays [N, *shape]."""
    sample_bytes = sum(tensor.bytes for tensor in tensors)
    rows = np.frombuffer(data, np.uint8).reshape(-1, sample_bytes)
    ends = np.cumsum([tensor.bytes for tensor in tensors])[:-1]
    pieces = np.split(rows, ends, axis=1)
    return [
        np.ascontiguousarray(piece).view(tensor.dtype).reshape(len(rows), *tensor.shape)
        for piece, tensor in zip(pieces, tensors, strict=True)
    ]


def _render(board: Board, template: str, context: dict[str, Any], kind: str = "firmware") -> str:
    firmware = environment(kind, before=board.files)
    if template.endswith(".j2"):
        return firmware.get_template(template).render(context)
    assert firmware.loader is not None
    source, _, _ = firmware.loader.get_source(firmware, template)
    return source


def model_facts(deployment: Deployment) -> dict[str, Any]:
    """What the templates say of a model, in the order of its C interface."""
    graph = deployment.graph
    return {
        "name": deployment.name,
        "macro": deployment.name.upper(),
        "fingerprint": deployment.fingerprint,
        "align": ARENA_ALIGN,
        "arena_bytes": deployment.plan.arena_bytes,
        "fast_arena_bytes": deployment.plan.fast_arena_bytes,
        "state_bytes": deployment.plan.state_bytes,
        "layers": len(graph.nodes),
        "argument_types": [
            f"const {deployment.name}_arenas_t *" if deployment.plan.is_split else "void *",
            *(["void *"] if deployment.plan.state_bytes else []),
        ],
        "inputs": [_tensor_facts(i, tensor) for i, tensor in enumerate(graph.input_tensors())],
        "outputs": _output_facts(deployment),
    }


def _description(board: Board, deployment: Deployment, timer: Timer) -> list[str]:
    """What serve.c tells of a model: JSON, as lines of a C literal; the build number is to follow."""
    graph = deployment.graph
    facts = {
        "board": board.name,
        "model": deployment.name,
        "fingerprint": deployment.fingerprint,
        "tool": __version__,
        "options": deployment.options.canonical(),
        "inputs": [tensor.bytes for tensor in graph.input_tensors()],
        "outputs": [tensor.bytes for tensor in graph.output_tensors()],
        "layers": len(graph.nodes),
        "timer_bits": timer.bits,
    }
    pieces = [f"{json.dumps(key)}:{json.dumps(value)}," for key, value in facts.items()]
    return [json.dumps(piece) for piece in ["{", *pieces, '"build":']]


def _output_facts(deployment: Deployment) -> list[dict[str, Any]]:
    """tolerance: how far a float output may be off, relative to its largest value; steps: an integer one."""
    facts = []
    tolerances = output_tolerances(deployment.reference)
    for index, tensor in enumerate(deployment.graph.output_tensors()):
        allowed = tolerances[index]
        is_float = tensor.dtype == "float32"
        facts.append(
            _tensor_facts(index, tensor)
            | {
                "tolerance": real(allowed.relative) if is_float and allowed is not None else None,
                "absolute": real(allowed.absolute) if is_float and allowed is not None else None,
                "steps": int(allowed.absolute) if tensor.bytes == tensor.elements and allowed else 0,
            }
        )
    return facts


def _tensor_facts(index: int, tensor: Tensor) -> dict[str, Any]:
    meaning = ""
    if tensor.quant is not None:
        meaning = f", real = {tensor.scale:.9g} * (q - {tensor.zero_point})".replace("- -", "+ ")
    is_float = tensor.dtype == "float32"
    return {
        "index": index,
        "dtype": tensor.dtype,
        "c_type": C_TYPES[tensor.dtype],
        "shape": tensor.shape,
        "elements": tensor.elements,
        "bytes": tensor.bytes,
        "meaning": meaning,
        "has_zero_point": tensor.quant is not None,
        "is_float": is_float,
        "shown": min(tensor.elements, 16),
    }
