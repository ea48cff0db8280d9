"""flash: an image of a generated project onto its board."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcu_quant.boards import Board, FlashTool, load_board
from mcu_quant.building import build_project, is_project, project_board
from mcu_quant.doctor import examine, tool_named
from mcu_quant.errors import InvalidInputError, ToolMissingError
from mcu_quant.flashing.commands import WRITERS
from mcu_quant.flashing.drives import copy_to_drive, find_drive
from mcu_quant.flashing.images import Segment, binary, check_image, intel_hex, uf2
from mcu_quant.flashing.job import Job
from mcu_quant.flashing.troubles import explain
from mcu_quant.outputs import read_manifest
from mcu_quant.verify.fit import require_fit
from mcu_quant.verify.tools import run_shown

#: Programs of a project that can be flashed: the user's, and the one that serves the host (verify --port).
PROGRAMS = ("firmware", "serve")
#: What --tool may be: those of board.toml, and a GDB server, which any board may have.
GDB = "gdb"
TOOLS = (*WRITERS, "uf2")


@dataclass(frozen=True)
class FlashOptions:
    """What decides how an image gets onto a board.

    program: one of PROGRAMS. board: the path of the board, where its name is not enough. tool: by default
    the first of the board's that is installed. server: of GDB, HOST:PORT. port: of the board's boot loader.
    probe: a serial number, where there are several. drive: where the board's UF2 drive is, if not found.
    """

    program: str = "firmware"
    board: str | None = None
    tool: str | None = None
    server: str | None = None
    port: str | None = None
    probe: str | None = None
    drive: Path | None = None

    def __post_init__(self) -> None:
        for what, value, known in (("program", self.program, PROGRAMS), ("tool", self.tool, TOOLS)):
            if value is not None and value not in known:
                raise InvalidInputError(f"the {what} must be a known one", value=value, hint=", ".join(known))
        if (self.tool == GDB) != (self.server is not None):
            raise InvalidInputError(
                "the tool gdb and its server belong together",
                value=f"tool {self.tool}, server {self.server}",
                hint="--tool gdb --server HOST:PORT",
            )


@dataclass(frozen=True)
class Flashed:
    """command: words of a command line. image: the file that it writes. bytes: of all that is written."""

    board: str
    tool: str
    command: tuple[str, ...]
    image: Path
    bytes: int

    @property
    def text(self) -> str:
        """The command, to be pasted into a shell."""
        return shlex.join(self.command)


def flash_project(
    directory: Path,
    options: FlashOptions | None = None,
    *,
    dry_run: bool = False,
    note: Callable[[str], None] = lambda text: None,
) -> Flashed:
    """Build a project's build/<program>.elf and write it onto the board; first see that it fits.

    dry_run: find the command and make its files in build/, but do not run it. note: told what is run. Raises
    InvalidInputError, DoesNotFitError, ToolMissingError, DeviceError without a probe.
    """
    options = options or FlashOptions()
    board = _board_of(directory, options.board)
    elf = _built(directory, options.program)
    segments = check_image(board, elf)
    require_fit(elf, board, str(directory))
    tool = _choose(board, options, dry_run)
    if tool.tool == "uf2":
        return _by_copy(board, tool, elf, segments, options.drive, dry_run, note)
    writer = WRITERS[tool.tool]
    image, script = _image(board, tool, elf, segments, writer.kind), elf.with_suffix(f".{tool.tool}")
    job = Job(board, image, script, str(options.server), options.port, options.probe)
    if writer.script is not None:
        script.write_text(writer.script(job), encoding="utf-8")
    command = (_program(tool.tool, dry_run), *writer.command(tool, job))
    done = Flashed(board.name, tool.tool, command, image, _bytes(segments))
    if not dry_run:
        note(done.text)
        status, printed = run_shown(command)
        if status:
            raise explain(tool.tool, status, printed)
        writer.check(printed, job)
    return done


def _board_of(directory: Path, given: str | None) -> Board:
    """The project's board. given: that board by its path, where it is not found by its name."""
    name = read_manifest(directory).get("board") if directory.is_dir() else None
    if not isinstance(name, str):
        raise InvalidInputError(
            "the directory must be a generated firmware project",
            layer=str(directory),
            hint="mcu-quant generate MODEL.tflite --board BOARD -o DIRECTORY",
        )
    board = project_board(directory) if given is None else load_board(given)
    if board.name != name:
        raise InvalidInputError(
            f"the board must be {name}, for which the project was generated",
            layer=str(directory),
            value=board.name,
            hint=f"mcu-quant generate --board {board.name}, and flash that",
        )
    return board


def _built(directory: Path, program: str) -> Path:
    """The image; made first, or made again if sources have changed, where there is a compiler."""
    elf = directory / "build" / f"{program}.elf"
    if is_project(directory) and (not elf.is_file() or examine(tool_named("arm-none-eabi-gcc")).complete):
        build_project(directory, program)
    if not elf.is_file():
        raise InvalidInputError(
            "the project must be built", layer=str(elf), hint=f"mcu-quant build {shlex.quote(str(directory))}"
        )
    return elf


def _choose(board: Board, options: FlashOptions, dry_run: bool) -> FlashTool:
    """What was asked for; else the board's first that is installed, or for a dry run just its first."""
    if options.tool == GDB:
        return FlashTool(GDB)
    if options.tool is not None:
        for tool in board.flash_tools:
            if tool.tool == options.tool:
                return tool
        raise InvalidInputError(
            f"{board.name} must be a board that {options.tool} writes to",
            value=", ".join(tool.tool for tool in board.flash_tools) or "no tool",
            hint="another --tool, or its facts in the board's board.toml",
        )
    if not board.flash_tools:
        raise InvalidInputError(
            "the board must have a tool that writes to it",
            layer=board.name,
            value="its board.toml names none",
            hint="--tool gdb --server HOST:PORT"
            + (", or QEMU, which needs no flashing" if board.qemu is not None else ""),
        )
    # A drive is tried where no program is installed.
    for tool in sorted(board.flash_tools, key=lambda tool: tool.tool == "uf2"):
        if tool.tool == "uf2" or examine(tool_named(tool.tool)).complete:
            return tool
    if dry_run:
        return board.flash_tools[0]
    ways = [f"{tool.tool} ({examine(tool_named(tool.tool)).how})" for tool in board.flash_tools]
    raise ToolMissingError(
        f"one of the tools that write to {board.name} must be installed and on the PATH",
        hint="; or ".join(ways),
    )


def _image(board: Board, tool: FlashTool, elf: Path, segments: Sequence[Segment], kind: str) -> Path:
    """The file of that kind, beside the ELF file."""
    if kind == "elf":
        return elf
    path = elf.with_suffix(f".{kind}")
    if kind == "hex":
        path.write_text(intel_hex(segments), encoding="ascii", newline="\n")
    elif kind == "uf2":
        path.write_bytes(uf2(segments, board.flash, tool.family))
    else:
        path.write_bytes(binary(segments, board.flash))
    return path


def _program(name: str, dry_run: bool) -> str:
    """The path of a tool; its usual name where it is missing and only shown."""
    tool = tool_named(name)
    finding = examine(tool)
    if finding.path is not None and finding.complete:
        return finding.path
    if dry_run:
        return tool.commands[0]
    raise ToolMissingError(f"{name} must be installed and on the PATH", hint=finding.how)


def _by_copy(
    board: Board,
    tool: FlashTool,
    elf: Path,
    segments: Sequence[Segment],
    drive: Path | None,
    dry_run: bool,
    note: Callable[[str], None],
) -> Flashed:
    image = _image(board, tool, elf, segments, "uf2")
    place = find_drive(tool.volume, dry_run) if drive is None else drive
    done = Flashed(board.name, "uf2", ("cp", str(image), str(place)), image, _bytes(segments))
    if not dry_run:
        note(done.text)
        copy_to_drive(image, place)
    return done


def _bytes(segments: Sequence[Segment]) -> int:
    return sum(len(segment.data) for segment in segments)
