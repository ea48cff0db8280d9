"""board.toml → Board, every rule checked."""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path

from mcu_quant.boards.facts import (
    FLASH_TOOLS,
    RAM_SECTION,
    Board,
    Console,
    FlashTool,
    MemoryRegion,
    Placed,
    Section,
    Timer,
)
from mcu_quant.boards.toml_table import TomlTable
from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.kernels.base import CORES
from mcu_quant.resources import directory

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Sections and memories that the linker script has already.
_TAKEN = (RAM_SECTION, "flash", "code", "const", "data", "bss", "vectors", "text", "rodata", "stack")
#: The vector table of startup.c.
_VECTOR_BYTES = 64
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def read_board(files: Path, name: str | None = None) -> Board:
    """The board whose board.toml is in that directory, which has the board's name.

    name: the board's, where the directory is that of a generated project, without the sources that the
    file names. Raises InvalidModelError.
    """
    path = files / "board.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidModelError(
            "the board file must be readable TOML", layer=str(path), value=error
        ) from error
    top = TomlTable(f"{files.name}/board.toml", table)
    board = _parse(name or files.resolve().name, files, top)
    _check_memory(board)
    if name is None:
        _check_sources(board)
    return board


def check_board_name(name: str) -> str:
    """Raises InvalidInputError for a name that C and paths would not like."""
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            "a board's name is lower-case letters, digits and _", value=name, hint="my_board"
        )
    return name


def _parse(name: str, files: Path, top: TomlTable) -> Board:
    if not _NAME.fullmatch(name):
        raise top.error("a board's name is lower-case letters, digits and _", name)
    memory, qemu = top.table("memory"), top.optional_table("qemu")
    core, fpu, dsp = _core(top)
    flash, ram = _region(memory.table("flash")), _region(memory.table("ram"))
    timer = _timer(top.table("timer"))
    board = Board(
        name=name,
        description=top.string("description"),
        chip=top.string("chip"),
        core=core,
        fpu=fpu,
        dsp=dsp,
        cpu_flags=CORES[core].gcc_flags,
        clock_hz=top.integer("clock_hz", 1),
        clock=top.string("clock"),
        flash=flash,
        ram=ram,
        vectors=memory.integer("vectors", 0, default=flash.address),
        placed=_placed(memory.optional_table("placed")),
        stack_bytes=memory.integer("stack_bytes", 256),
        sections=(Section(RAM_SECTION, ram, True), *_sections(memory.optional_table("sections"))),
        timer=timer,
        console=_console(top.table("console")),
        flash_tools=tuple(_flash_tool(table) for table in top.tables("flash_tools")),
        qemu=qemu.string("machine") if qemu.names() else None,
        qemu_timer=_timer(qemu.table("timer")) if qemu.has("timer") else timer,
        qemu_serial=qemu.integer("serial", 0, default=0),
        shared=top.strings("shared"),
        files=files,
    )
    for table in (top, memory, qemu):
        table.finish()
    return board


def _core(top: TomlTable) -> tuple[str, bool, bool]:
    """The core; whether it has an FPU, and the DSP extension: what the code is made for."""
    core, fpu, dsp = top.string("core"), top.boolean("fpu"), top.boolean("dsp")
    if core not in CORES or core == "generic":
        raise top.error("core must be a known Cortex-M", core, f"one of {', '.join(sorted(CORES))}")
    made_for = ("-mfloat-abi=hard" in CORES[core].gcc_flags, "dsp" in CORES[core].families)
    for key, has, needs in (("fpu", fpu, made_for[0]), ("dsp", dsp, made_for[1])):
        if has != needs:
            raise top.error(
                f"code for {core} {'uses' if needs else 'does without'} what {key} says",
                f"{key} = {str(has).lower()}",
                "a core without it, such as cortex-m3" if needs else f"{key} = false",
            )
    return core, fpu, dsp


def _timer(table: TomlTable) -> Timer:
    timer = Timer(
        table.string("source"),
        table.integer("address", 0),
        table.integer("hz", 1),
        table.integer("bits", 16, default=32),
    )
    table.finish()
    if timer.bits > 32:
        raise table.error("a counter has at most 32 bits", timer.bits)
    return timer


def _console(table: TomlTable) -> Console:
    console = Console(
        source=table.string("source"),
        uart=table.string("uart"),
        address=table.integer("address", 0),
        clock_hz=table.integer("clock_hz", 1),
        baud=table.integer("baud", 1),
        tx=table.string("tx"),
        rx=table.string("rx"),
        port=table.string("port"),
    )
    table.finish()
    return console


def _flash_tool(table: TomlTable) -> FlashTool:
    tool = table.string("tool")
    if tool not in FLASH_TOOLS:
        raise table.error("tool must be a known one", tool, ", ".join(FLASH_TOOLS))
    keys = FLASH_TOOLS[tool]
    found = FlashTool(
        tool,
        target=table.string("target") if "target" in keys else "",
        pack=table.boolean("pack") if "pack" in keys and table.has("pack") else False,
        interface=table.string("interface") if "interface" in keys else "",
        family=table.integer("family", 1) if "family" in keys else 0,
        volume=table.string("volume") if "volume" in keys else "",
    )
    table.finish()
    return found


def _placed(table: TomlTable) -> tuple[Placed, ...]:
    found = [Placed(name, _region(table.table(_section_name(table, name)))) for name in table.names()]
    return tuple(sorted(found, key=lambda placed: placed.region.address))


def _sections(table: TomlTable) -> list[Section]:
    sections = []
    for name in table.names():
        inner = table.table(_section_name(table, name))
        copied = inner.boolean("copied")
        sections.append(Section(name, _region(inner), copied))
    return sections


def _section_name(table: TomlTable, name: str) -> str:
    if not _NAME.fullmatch(name) or name in _TAKEN:
        rule = f"a section's name is lower-case letters, digits and _, and none of {', '.join(_TAKEN)}"
        raise table.error(rule, name)
    return name


def _region(table: TomlTable) -> MemoryRegion:
    region = MemoryRegion(table.integer("address", 0), table.integer("bytes", 1))
    table.finish()
    if not region.is_possible:
        raise table.error("a memory region is aligned to 8 bytes and below 4 GiB", region)
    return region


def _check_memory(board: Board) -> None:
    def refuse(rule: str, value: object) -> InvalidModelError:
        return InvalidModelError(rule, layer=f"{board.name}/board.toml", value=value)

    regions = [board.flash, board.ram, *(section.region for section in board.sections[1:])]
    for low, high in pairwise(sorted(regions, key=lambda region: region.address)):
        if high.address < low.end:
            raise refuse("flash, ram and sections must not overlap", f"{low} and {high}")
    if board.stack_bytes % 8 or board.stack_bytes >= board.ram.bytes:
        raise refuse("stack_bytes must be a multiple of 8 and smaller than ram", board.stack_bytes)
    if board.vectors % 128 or not board.flash.address <= board.vectors < board.flash.end:
        raise refuse("vectors must be in flash, at a multiple of 128", hex(board.vectors))
    for placed in board.placed:
        if placed.region.address < board.flash.address or placed.region.end > board.flash.end:
            raise refuse(f"{placed.name} must be in flash", placed.region)
    vectors = Placed("vectors", MemoryRegion(board.vectors, _VECTOR_BYTES))
    in_order = sorted((*board.placed, vectors), key=lambda placed: placed.region.address)
    for first, second in pairwise(in_order):
        if second.region.address < first.region.end:
            raise refuse("vectors and placed sections must not overlap", f"{first.name}, {second.name}")


def _check_sources(board: Board) -> None:
    named = [
        (f"{key}: source", source, ".c")
        for key, source in (
            ("timer", board.timer.source),
            ("qemu.timer", board.qemu_timer.source),
            ("console", board.console.source),
        )
    ]
    named += [("shared", file, ".h") for file in board.shared]
    places = (board.files, directory("templates") / "firmware")
    for key, source, ending in named:
        rule = None
        if not re.fullmatch(rf"\w+\{ending}", source):
            rule = f"{key} must be a plain file name that ends in {ending}"
        elif not any((place / source).is_file() for place in places):
            rule = f"{key} must be in the board's directory or in templates/firmware"
        if rule:
            raise InvalidModelError(rule, layer=f"{board.name}/board.toml", value=source)
