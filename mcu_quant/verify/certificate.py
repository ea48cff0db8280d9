"""What a linked image takes at most, and where each of its bytes is: found without running it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from mcu_quant.boards import Board
from mcu_quant.codegen.pointers import pointer_calls
from mcu_quant.codegen.project import compile_flags
from mcu_quant.deployment import Deployment
from mcu_quant.verify.control_flow import Program
from mcu_quant.verify.stack import StackAnalysis, read_usage
from mcu_quant.verify.symbols import library_symbols
from mcu_quant.verify.tools import find_tool


def certify(
    deployment: Deployment, board: Board, program: Path, profiler: Path, usage: Sequence[Path]
) -> dict[str, Any]:
    """The `certificate` of `profile --json`. program, profiler: the images of main.c and profile.c.
    usage: the .su files of the library, which lie beside its objects.

    Raises EngineFailedError where the stack has no bound.
    """
    has_mve, hook = "mve" in deployment.core.families, f"{deployment.name}_invoke_with_hook"
    frames, pointers = read_usage(usage), pointer_calls(deployment)
    objects = [path.with_suffix(".o") for path in usage]
    main = Program(program, has_mve=has_mve)
    plain = StackAnalysis(main, frames, pointers, objects)
    hooked = StackAnalysis(Program(profiler, has_mve=has_mve), frames, pointers, objects, hook)
    bound = plain.bound(f"{deployment.name}_invoke")
    symbols = library_symbols(program, main.symbols)
    ours = {symbol.name for symbol in symbols}
    return {
        "compiler": _compiler_version(),
        "flags": compile_flags(board, deployment.options.optimize),
        "stack_bound_bytes": bound.bytes,
        "stack_path": [{"function": name, "bytes": size} for name, size in bound.path],
        "stack_bound_with_hook_bytes": hooked.bound(hook).bytes,
        "scratch_bytes": deployment.plan.scratch_bytes,
        "largest_layer": deployment.plan.largest_layer,
        "largest_layer_bytes": deployment.plan.used_bytes(deployment.plan.largest_layer),
        "arena": [asdict(block) for block in deployment.plan.blocks],
        "symbols": [symbol.as_json() for symbol in symbols],
        "runtime": [
            {"name": function.name, "bytes": function.end - function.address}
            for function in plain.reached()
            if function.name not in ours
        ],
    }


@cache
def _compiler_version() -> str:
    """As GCC's __GNUC__, __GNUC_MINOR__ and __GNUC_PATCHLEVEL__ have it: 12.2.1."""
    command = [find_tool("arm-none-eabi-gcc"), "-dumpfullversion"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
