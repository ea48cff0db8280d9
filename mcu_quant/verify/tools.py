"""The programs that we call but do not bring."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

from mcu_quant.doctor import examine, tool_named
from mcu_quant.errors import ToolMissingError


def find_tool(name: str) -> str:
    """The path of a program that doctor knows; ToolMissingError with how to install it if it is not there."""
    finding = examine(tool_named(name))
    if finding.path is None or not finding.complete:
        raise ToolMissingError(f"{name} must be installed and on the PATH", hint=finding.how)
    return finding.path


def untranslated() -> dict[str, str]:
    """The environment in which programs write the messages that we search for."""
    return {**os.environ, "LC_ALL": "C"}


def run_shown(command: Sequence[str]) -> tuple[int, str]:
    """Run a program; what it writes goes to our stderr as it comes. Returns its status, and that text."""
    sys.stderr.flush()
    messages = []
    with subprocess.Popen(
        command,
        env=untranslated(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                sys.stderr.write(line)
                sys.stderr.flush()
                messages.append(line)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, "".join(messages)


def beside(path: str, name: str) -> str:
    """Another program of the toolchain: `gcc` becomes `ar` in a name like arm-none-eabi-gcc."""
    sibling = path.replace("-gcc", f"-{name}")
    if shutil.which(sibling) is None:
        raise ToolMissingError(f"{sibling} must be installed with {path}", hint="install the toolchain again")
    return sibling
