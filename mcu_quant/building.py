"""Building a generated project with its own Makefile or CMakeLists.txt, as its user would."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mcu_quant.errors import DoesNotFitError, InvalidInputError
from mcu_quant.outputs import read_manifest
from mcu_quant.verify.image import overflow_of
from mcu_quant.verify.tools import find_tool, untranslated


@dataclass(frozen=True)
class Image:
    """A linked program. code_bytes: .text and the like; const_bytes: read-only data and initial values;
    zero_bytes: .bss and other memory that starts as zero."""

    path: Path
    code_bytes: int
    const_bytes: int
    zero_bytes: int


def build_project(directory: Path) -> list[Image]:
    """Run make or CMake there; its output goes to stderr.

    Raises ToolMissingError, DoesNotFitError if the linker says so, InvalidInputError.
    """
    commands = _commands(directory)
    if not commands or not read_manifest(directory).get("board"):
        raise InvalidInputError(
            "the directory must be a generated firmware project",
            layer=str(directory),
            hint="mcu-quant generate MODEL.tflite --board BOARD -o DIRECTORY",
        )
    find_tool("arm-none-eabi-gcc")
    status, messages = 0, ""
    for command in commands:
        if not status:
            status, messages = _run([find_tool(command[0]), *command[1:]])
    overflow = overflow_of(messages)
    if status and overflow:
        raise DoesNotFitError(
            "the program must fit the board",
            layer=str(directory),
            value=", ".join(f"{name} exceeded by {count} bytes" for name, count in sorted(overflow.items())),
            hint="generate with --optimize size, a board with more memory, or a smaller model",
        )
    if status:
        raise InvalidInputError(
            "the project does not build",
            layer=str(directory),
            value=f"{commands[0][0]} ended with {status}",
            hint="read the compiler's messages above; a project as generated builds without warnings",
        )
    return [read_image(path) for path in sorted((directory / "build").glob("*.elf"))]


def _commands(directory: Path) -> list[list[str]]:
    """What builds it; none if it is no project."""
    jobs = f"-j{os.cpu_count() or 1}"
    if (directory / "Makefile").is_file():
        return [["make", "-C", str(directory), jobs]]
    if (directory / "CMakeLists.txt").is_file():
        build = str(directory / "build")
        return [["cmake", "-S", str(directory), "-B", build], ["cmake", "--build", build, jobs]]
    return []


def _run(command: list[str]) -> tuple[int, str]:
    """Exit status, and what it wrote to stderr, which is shown as it comes like the rest."""
    sys.stderr.flush()
    messages = []
    with subprocess.Popen(
        command,
        env=untranslated(),
        stdout=sys.stderr.fileno(),
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                sys.stderr.write(line)
                sys.stderr.flush()
                messages.append(line)
        except BaseException:
            process.terminate()
            raise
    return process.returncode, "".join(messages)


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
