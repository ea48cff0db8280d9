"""Building the images that run on QEMU: the same compiler calls as the project's Makefile, without make."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from mcu_quant.boards import RAM_SECTION, Board, board_that_fits
from mcu_quant.codegen.library import library_tables
from mcu_quant.codegen.project import LINK_FLAGS, compile_flags, render_sources
from mcu_quant.deployment import Deployment
from mcu_quant.errors import DoesNotFitError
from mcu_quant.verify.fit import CODE_ALLOWANCE, FLASH, Room, read_rooms, require_fit
from mcu_quant.verify.symbols import PREFIX, kind_of
from mcu_quant.verify.tools import beside, find_tool, untranslated

_OVERFLOW = re.compile(r"region `(\w+)' overflowed by (\d+) bytes")
_COMPILER_SECONDS = 600
#: What the linker is told where an image does not fit, to see what takes the room.
LINK_ANYWAY = ("-Wl,--noinhibit-exec",)
#: What the compiler is to say of its code, for the certificate; the code is the same without.
_FACTS_FLAGS = ("-g1", "-fstack-usage")


@dataclass(frozen=True)
class ImageSizes:
    """Bytes. code, const and static: the model library's alone, as linked. image: all that is flashed.

    const: in flash and in all sections of --placement. static: what is in RAM, copies of constants too.
    """

    code_bytes: int
    const_bytes: int
    static_bytes: int
    image_bytes: int


def build_images(board: Board, deployment: Deployment, programs: Sequence[str], folder: Path) -> list[Path]:
    """Write the sources into folder and link an image for each of "main", "validate" and "profile".

    Raises DoesNotFitError if flash or RAM of the board is too small, ToolMissingError without the compiler.
    """
    check_ram(board, deployment)
    files = render_sources(board, [deployment], [f"{program}.c" for program in programs])
    return link_images(board, deployment, files, programs, folder)


def link_images(
    board: Board, deployment: Deployment, files: Mapping[str, str], programs: Sequence[str], folder: Path
) -> list[Path]:
    """The same from given sources, of which <program>.c has that program's main."""
    gcc = find_tool("arm-none-eabi-gcc")
    _write(folder, files)
    flags = [*compile_flags(board, deployment.options.optimize), "-Imodel", "-Iboard"]
    sources = sorted(name for name in files if name.endswith((".c", ".S")))
    with ThreadPoolExecutor() as pool:
        objects = dict(
            zip(sources, pool.map(lambda name: _compile(gcc, flags, folder, name), sources), strict=True)
        )
    library = [name for source, name in objects.items() if source.startswith("model/")]
    support = [name for source, name in objects.items() if source.startswith("board/")]
    _run([beside(gcc, "ar"), "rcsD", "libmodel.a", *library], folder)
    return [
        _link(gcc, board, deployment, folder, program, [objects[f"{program}.c"], *support])
        for program in programs
    ]


def linked_rooms(
    board: Board, deployments: Sequence[Deployment], files: Mapping[str, str | bytes]
) -> tuple[Room, ...]:
    """What main.c of a project takes of each memory. files: of the whole project, for all of the models.

    Raises DoesNotFitError, ToolMissingError without the compiler.
    """
    largest = max(deployments, key=lambda deployment: arena_bytes_in(deployment, RAM_SECTION))
    kept = {
        name: text
        for name, text in files.items()
        if isinstance(text, str) and name.startswith(("main.c", "model/", "board/"))
    }
    with tempfile.TemporaryDirectory(prefix="mcu_quant_") as folder:
        (image,) = link_images(board, largest, kept, ["main"], Path(folder))
        return read_rooms(image, board)


def check_fits(board: Board, deployments: Sequence[Deployment]) -> None:
    """Refuse models that share one program and one arena, and cannot fit, as far as is known before linking.

    Raises DoesNotFitError.
    """
    check_ram(board, max(deployments, key=lambda deployment: arena_bytes_in(deployment, RAM_SECTION)))
    _check_sections(board, deployments)
    elsewhere = {section.name for section in board.sections if not section.copied}
    sizes = {
        deployment.name: sum(t.bytes for t in library_tables(deployment) if t.section not in elsewhere)
        for deployment in deployments
    }
    ram = max(arena_bytes_in(deployment, RAM_SECTION) for deployment in deployments)
    excess = sum(sizes.values()) - board.flash_bytes
    if excess <= 0:
        return
    shown = " + ".join(str(size) for size in sizes.values())
    raise DoesNotFitError(
        f"constants ({shown} bytes) must fit {board.name}, which has {board.flash_bytes} bytes of flash",
        layer=", ".join(sizes),
        value=f"{excess} bytes too many, and code comes on top",
        hint=("fewer models, or " if len(sizes) > 1 else "")
        + "fewer weights, or "
        + board_that_fits(board, sum(sizes.values()) + CODE_ALLOWANCE, ram),
        memory=[Room(FLASH, board.flash_bytes, tuple(sizes.items())).as_json()],
    )


def _check_sections(board: Board, deployments: Sequence[Deployment]) -> None:
    for section in board.sections:
        tables = [t for deployment in deployments for t in library_tables(deployment)]
        needed = sum(table.bytes for table in tables if table.section == section.name)
        if section.name != RAM_SECTION:
            needed += max(arena_bytes_in(deployment, section.name) for deployment in deployments)
        if needed > section.region.bytes:
            raise DoesNotFitError(
                f"weights and arenas placed in {section.name} must fit {board.name}, where it has "
                f"{section.region.bytes} bytes",
                layer=", ".join(deployment.name for deployment in deployments),
                value=f"{needed} bytes",
                hint="place fewer layers there, or a smaller arena",
            )


def overflow_of(messages: str) -> dict[str, int]:
    """Region of the linker script ("FLASH", "RAM") to bytes too many, as the linker's messages have it."""
    return {name: int(count) for name, count in _OVERFLOW.findall(messages)}


def arena_bytes_in(deployment: Deployment, section: str) -> int:
    """What the arenas of a model take of a board's section."""
    main, fast = deployment.options.placement.arena_sections
    plan = deployment.plan
    return (main == section) * plan.arena_bytes + (fast == section) * plan.fast_arena_bytes


def check_ram(board: Board, deployment: Deployment) -> None:
    """Refuse a model whose arena and the board's stack are more than its RAM, before anything is built."""
    plan, copies = deployment.plan, 0
    arenas = arena_bytes_in(deployment, RAM_SECTION)
    if RAM_SECTION in deployment.options.placement.sections:
        copies = sum(table.bytes for table in library_tables(deployment) if table.section == RAM_SECTION)
    needed = arenas + plan.state_bytes + board.stack_bytes + copies
    if needed <= board.ram_bytes:
        return
    index = max(range(len(plan.live_bytes)), key=lambda i: plan.live_bytes[i])
    flash = sum(table.bytes for table in library_tables(deployment)) + CODE_ALLOWANCE
    parts = {"arena": arenas, "stack": board.stack_bytes, "state": plan.state_bytes, "model: weights": copies}
    raise DoesNotFitError(
        f"arena ({arenas} bytes) and stack ({board.stack_bytes})"
        + (f" and state ({plan.state_bytes})" if plan.state_bytes else "")
        + (f" and weights placed in {RAM_SECTION} ({copies})" if copies else "")
        + f" must fit {board.name}, which has {board.ram_bytes} bytes of RAM",
        layer=deployment.name,
        value=f"{needed - board.ram_bytes} bytes too many; the largest layer is "
        f"{deployment.graph.nodes[index].name}, {plan.live_bytes[index]} bytes of inputs and outputs",
        hint=_narrower(deployment)
        + "smaller inputs, or fewer channels in that layer, or "
        + board_that_fits(board, flash, needed - board.stack_bytes),
        memory=[Room(RAM_SECTION, board.ram_bytes, tuple((k, n) for k, n in parts.items() if n)).as_json()],
    )


def _narrower(deployment: Deployment) -> str:
    """What makes the arena of a model smaller whose activations are wider than int8."""
    tensors = deployment.graph.tensors.values()
    if all(tensor.is_constant or tensor.bytes == tensor.elements for tensor in tensors):
        return ""
    return "int8 activations (`mcu-quant quantize --technique int8`), or "


def read_sizes(image: Path) -> ImageSizes:
    """The linker script gives the model library sections of its own; image_bytes is what gets flashed."""
    with image.open("rb") as stream:
        elf = ELFFile(stream)
        sections = {section.name: section["sh_size"] for section in elf.iter_sections()}
        image_bytes = sum(s["p_filesz"] for s in elf.iter_segments() if s["p_type"] == "PT_LOAD")
    sums = dict.fromkeys(("code", "const", "data", "zero"), 0)
    for name, size in sections.items():
        if name.startswith(PREFIX):
            sums[kind_of(name)] += size
    static_bytes = sums["data"] + sums["zero"] + sections.get(f"{PREFIX}{RAM_SECTION}", 0)
    return ImageSizes(sums["code"], sums["const"], static_bytes, image_bytes)


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _compile(gcc: str, flags: list[str], folder: Path, source: str) -> str:
    target = source.replace("/", "_")[:-2] + ".o"
    _run([gcc, *flags, *_FACTS_FLAGS, "-c", source, "-o", target], folder)
    return target


def usage_files(folder: Path) -> list[Path]:
    """What the compiler said of the stack of the model library that was built there."""
    return sorted(folder.glob("model_*.su"))


def _link(
    gcc: str, board: Board, deployment: Deployment, folder: Path, program: str, objects: list[str]
) -> Path:
    image = folder / f"{program}.elf"
    command = [gcc, *board.cpu_flags, *LINK_FLAGS, "-T", "board/linker.ld", *objects, "libmodel.a"]
    result = _run([*command, "-o", image.name], folder, check=False)
    if result.returncode and overflow_of(result.stderr):
        too_large = folder / f"{program}_too_large.elf"
        _run([*command, *LINK_ANYWAY, "-o", too_large.name], folder)
        arena = arena_bytes_in(deployment, RAM_SECTION)
        require_fit(too_large, board, deployment.name, deployment.options.optimize, arena)
    if result.returncode:
        raise RuntimeError(f"linking failed:\n{result.stderr}")
    return image


def _run(command: list[str], folder: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command,
        cwd=folder,
        env=untranslated(),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_COMPILER_SECONDS,
    )
    if check and result.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{result.stderr}")
    return result
