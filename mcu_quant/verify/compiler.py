"""The C compiler of this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mcu_quant.errors import EngineFailedError, ToolMissingError

#: Characters of a failed program's output that an error shows.
_SHOWN = 2000


def find_compiler(compiler: str | None = None) -> list[str]:
    """The command of the compiler given, of $CC, or of the first of cc, gcc and clang that is there."""
    given = compiler or os.environ.get("CC")
    for command in [shlex.split(given)] if given else [["cc"], ["gcc"], ["clang"]]:
        if command and shutil.which(command[0]):
            return command
    raise ToolMissingError(
        "a C compiler must be installed to run a model on the host",
        value=given or "no cc, gcc or clang",
        hint="`apt-get install gcc` on Debian or Ubuntu, `xcode-select --install` on macOS; or set CC",
    )


def run_tool(command: Sequence[str], directory: Path, environment: dict[str, str] | None = None) -> None:
    """Run a command in a directory. Raises EngineFailedError with what it said if it fails."""
    result = subprocess.run(
        command,
        check=False,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if result.returncode != 0:
        raise EngineFailedError(
            f"`{shlex.join(command)}` must succeed",
            layer="host",
            value=f"exit {result.returncode}: {(result.stderr + result.stdout).strip()[:_SHOWN]}",
            hint="another compiler ($CC); with gcc or clang this is a bug of mcu_quant: please report it",
        )
