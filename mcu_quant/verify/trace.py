"""How often each block of an image runs on QEMU, by a plugin of our own, compiled when it is needed."""

from __future__ import annotations

import platform
import re
import subprocess
import tempfile
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from mcu_quant.boards import Board
from mcu_quant.errors import EngineFailedError, McuQuantError
from mcu_quant.resources import directory
from mcu_quant.verify.compiler import find_compiler, run_tool
from mcu_quant.verify.cycles import Block
from mcu_quant.verify.qemu import emulate
from mcu_quant.verify.tools import find_tool

#: How a system's compiler makes a library whose other symbols its loader has.
_LIBRARY_FLAGS = {"Linux": ("-shared",), "Darwin": ("-dynamiclib", "-undefined", "dynamic_lookup")}
#: QEMU 9 refuses plugins of interface 1. The functions that we call are the same in both.
_FIRST_QEMU_OF_API_2 = 9


class NoTraceError(Exception):
    """Blocks cannot be counted here; why, in a sentence."""


def trace_blocks(
    board: Board, image: Path, folder: Path, *, mark: int, timeout: float
) -> list[tuple[Block, ...]]:
    """Run an image with folder as its working directory; what ran up to each arrival at mark, and to the end.

    mark: the first address of a function. Raises NoTraceError.
    """
    try:
        plugin = _build(folder)
        arguments = ("-plugin", f"./{plugin},mark={mark:#x},out=blocks.txt")
        emulate(board, image, folder, timeout=timeout, arguments=arguments)
    except McuQuantError as error:
        raise NoTraceError(" ".join(str(error).split())) from error
    return _parse((folder / "blocks.txt").read_text().splitlines())


def _build(folder: Path) -> str:
    (folder / "blocks.so").write_bytes(_plugin(tuple(find_compiler()), _api()))
    return "blocks.so"


@lru_cache(maxsize=4)
def _plugin(compiler: tuple[str, ...], api: int) -> bytes:
    """The compiled plugin, which takes a tenth of a second."""
    flags = _LIBRARY_FLAGS.get(platform.system())
    if flags is None:
        raise EngineFailedError("QEMU loads plugins on Linux and macOS only")
    source = directory("templates") / "qemu" / "blocks.c"
    options = ("-std=c99", "-O2", "-fPIC", "-fvisibility=hidden", f"-DBLOCKS_API={api}", *flags)
    with tempfile.TemporaryDirectory(prefix="mcu_quant_") as text:
        folder = Path(text)
        run_tool([*compiler, *options, str(source), "-o", "blocks.so"], folder)
        return (folder / "blocks.so").read_bytes()


def _api() -> int:
    shown = subprocess.run(
        [find_tool("qemu-system-arm"), "--version"], capture_output=True, text=True, check=False
    ).stdout
    found = re.search(r"version (\d+)", shown)
    return 2 if found and int(found[1]) >= _FIRST_QEMU_OF_API_2 else 1


def _parse(lines: Iterable[str]) -> list[tuple[Block, ...]]:
    parts: list[tuple[Block, ...]] = []
    blocks: list[Block] = []
    for line in lines:
        if line == "mark":
            parts.append(tuple(blocks))
            blocks = []
        else:
            before, first, last, times = line.split()
            blocks.append(Block(int(before, 16), int(first, 16), int(last, 16), int(times)))
    return parts
