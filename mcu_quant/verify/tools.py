"""The programs that we call but do not bring."""

from __future__ import annotations

import os
import shutil

from mcu_quant.doctor import TOOLS, examine
from mcu_quant.errors import ToolMissingError


def find_tool(name: str) -> str:
    """The path of a program that doctor knows; ToolMissingError with how to install it if it is not there."""
    finding = examine(next(tool for tool in TOOLS if tool.name == name))
    if finding.path is None or not finding.complete:
        raise ToolMissingError(f"{name} must be installed and on the PATH", hint=finding.how)
    return finding.path


def untranslated() -> dict[str, str]:
    """The environment in which programs write the messages that we search for."""
    return {**os.environ, "LC_ALL": "C"}


def beside(path: str, name: str) -> str:
    """Another program of the toolchain: `gcc` becomes `ar` in a name like arm-none-eabi-gcc."""
    sibling = path.replace("-gcc", f"-{name}")
    if shutil.which(sibling) is None:
        raise ToolMissingError(f"{sibling} must be installed with {path}", hint="install the toolchain again")
    return sibling
