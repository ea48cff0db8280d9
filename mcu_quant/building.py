"""Building a generated project with its own Makefile or CMakeLists.txt, as its user would."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mcu_quant.boards import Board, load_board, read_board
from mcu_quant.errors import InvalidInputError
from mcu_quant.outputs import read_manifest
from mcu_quant.verify.fit import Room, require_fit
from mcu_quant.verify.image import LINK_ANYWAY, overflow_of
from mcu_quant.verify.tools import find_tool, run_shown


@dataclass(frozen=True)
class Image:
    """A linked program. code_bytes: .text and the like; const_bytes: read-only data and initial values;
    zero_bytes: .bss and other memory that starts as zero. rooms: what takes the room of each memory."""

    path: Path
    code_bytes: int
    const_bytes: int
    zero_bytes: int
    rooms: tuple[Room, ...] = ()


def build_project(directory: Path, program: str | None = None) -> list[Image]:
    """Run make or CMake there; its output goes to stderr. program: only build/<program>.elf, if it is given.

    Raises ToolMissingError, DoesNotFitError if the linker says so, InvalidInputError.
    """
    commands = _commands(directory, program)
    if not commands or not read_manifest(directory).get("board"):
        raise InvalidInputError(
            "the directory must be a generated firmware project",
            layer=str(directory),
            hint="mcu-quant generate MODEL.tflite --board BOARD -o DIRECTORY",
        )
    board = project_board(directory)
    find_tool("arm-none-eabi-gcc")
    status, messages = _run_all(commands)
    if status and overflow_of(messages):
        _explain_overflow(directory, board, program)
    if status:
        raise InvalidInputError(
            "the project does not build",
            layer=str(directory),
            value=f"{commands[0][0]} ended with {status}",
            hint="read the compiler's messages above; a project as generated builds without warnings",
        )
    images = [read_image(path) for path in _images(directory)]
    return [replace(image, rooms=require_fit(image.path, board, str(directory))) for image in images]


def project_board(directory: Path) -> Board:
    """The board of a generated project, as its own copy of the board file has it."""
    name = str(read_manifest(directory).get("board"))
    copy = directory / "board"
    return read_board(copy, name) if (copy / "board.toml").is_file() else load_board(name)


def _explain_overflow(directory: Path, board: Board, program: str | None) -> None:
    """Link a copy of the project beyond the ends of the memories, to see what takes the room.

    Raises DoesNotFitError.
    """
    with tempfile.TemporaryDirectory(prefix="mcu_quant_") as folder:
        copy = Path(folder) / "project"
        shutil.copytree(directory, copy, ignore=shutil.ignore_patterns("build"))
        _run_all(_commands(copy, program, " ".join(LINK_ANYWAY)))
        for image in _images(copy):
            require_fit(image, board, str(directory))


def _images(directory: Path) -> list[Path]:
    return sorted((directory / "build").glob("*.elf"))


def _run_all(commands: Sequence[Sequence[str]]) -> tuple[int, str]:
    """Exit status of the last that was run, and what it wrote: the first that failed, if one did."""
    status, messages = 0, ""
    for command in commands:
        if not status:
            status, messages = run_shown([find_tool(command[0]), *command[1:]])
    return status, messages


def is_project(directory: Path) -> bool:
    """Whether there is something to build."""
    return bool(_commands(directory))


def _commands(directory: Path, program: str | None = None, link_flags: str = "") -> list[list[str]]:
    """What builds it; none if it is no project. program: as in build_project. link_flags: for the linker."""
    jobs = f"-j{os.cpu_count() or 1}"
    if (directory / "Makefile").is_file():
        flags = [f"LDFLAGS={link_flags}"] if link_flags else []
        goal = [] if program is None else [f"build/{program}.elf"]
        return [["make", "-C", str(directory), jobs, *flags, *goal]]
    if (directory / "CMakeLists.txt").is_file():
        build = str(directory / "build")
        flags = [f"-DCMAKE_EXE_LINKER_FLAGS={link_flags}"] if link_flags else []
        goal = [] if program is None else ["--target", program]
        return [
            ["cmake", "-S", str(directory), "-B", build, *flags],
            ["cmake", "--build", build, jobs, *goal],
        ]
    return []


def read_image(path: Path) -> Image:
    """Sizes by section flags, as `size` counts them."""
    from elftools.elf.constants import SH_FLAGS
    from elftools.elf.elffile import ELFFile

    code = const = zero = 0
    with path.open("rb") as stream:
        for section in ELFFile(stream).iter_sections():
            flags, size = section["sh_flags"], section["sh_size"]
            if not flags & SH_FLAGS.SHF_ALLOC:
                continue
            if section["sh_type"] == "SHT_NOBITS":
                zero += size
            elif flags & SH_FLAGS.SHF_EXECINSTR:
                code += size
            else:
                const += size
    return Image(path, code, const, zero)
