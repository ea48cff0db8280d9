"""Boards: what boards/<name>/board.toml says, checked. Adding a board touches only its directory."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.kernels.base import CORES
from mcu_quant.resources import directory
from mcu_quant.sections import RAM

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The section of the board's own RAM.
RAM_SECTION = RAM
#: Sections and memories that the linker script has already.
_TAKEN = (RAM_SECTION, "flash", "code", "const", "data", "bss")
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class MemoryRegion:
    """address: of the first byte. bytes: how many there are."""

    address: int
    bytes: int

    @property
    def end(self) -> int:
        return self.address + self.bytes


@dataclass(frozen=True)
class Section:
    """A linker section in which --placement may put weights, and the memory that it is in.

    copied: the memory is empty at reset, and start-up code copies the section there from flash.
    """

    name: str
    region: MemoryRegion
    copied: bool


@dataclass(frozen=True)
class Timer:
    """A 32-bit counter that runs freely. source: the C file with its port_counter(). hz: its rate."""

    source: str
    address: int
    hz: int


@dataclass(frozen=True)
class Board:
    """One board. files: its directory; a file there takes the place of the common one in templates/firmware.

    core: a key of CORES. cpu_flags: the compiler's. qemu: the -machine that models the board.
    stack_bytes: what the linker script keeps for the stack, out of ram. sections: other memories that weights
    may go to; the first is "ram", the board's own.
    """

    name: str
    description: str
    core: str
    qemu: str
    cpu_flags: tuple[str, ...]
    flash: MemoryRegion
    ram: MemoryRegion
    stack_bytes: int
    clock_hz: int
    timer: Timer
    sections: tuple[Section, ...]
    files: Path = field(compare=False)

    @property
    def flash_bytes(self) -> int:
        return self.flash.bytes

    @property
    def ram_bytes(self) -> int:
        return self.ram.bytes

    def as_json(self) -> dict[str, object]:
        """An element of `boards --json`."""
        return {
            "name": self.name,
            "description": self.description,
            "core": self.core,
            "qemu": self.qemu,
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
            "clock_hz": self.clock_hz,
            "sections": [section.name for section in self.sections],
        }


def list_boards() -> list[str]:
    """The names of all boards, sorted."""
    return sorted(path.parent.name for path in directory("boards").glob("*/board.toml"))


def load_board(name: str) -> Board:
    """Raises InvalidInputError for an unknown name, InvalidModelError for a file that breaks a rule."""
    if name not in list_boards():
        raise InvalidInputError(
            "there is no such board", value=name, hint=f"one of {', '.join(list_boards())}"
        )
    return read_board(directory("boards") / name)


def read_board(files: Path) -> Board:
    """The board whose board.toml is in that directory, which has the board's name."""
    path = files / "board.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidModelError(
            "the board file must be readable TOML", layer=str(path), value=error
        ) from error
    board = _parse(files, _Reader(f"{files.name}/board.toml", table))
    _check_memory(board)
    return board


def _parse(files: Path, top: _Reader) -> Board:
    if not _NAME.fullmatch(files.name):
        raise top.error("a board's name is lower-case letters, digits and _", files.name)
    core = top.string("core")
    if core not in CORES or core == "generic":
        raise top.error("core must be a known Cortex-M", core, f"one of {', '.join(sorted(CORES))}")
    memory, qemu, timer = top.table("memory"), top.table("qemu"), top.table("timer")
    ram = _region(memory.table("ram"))
    board = Board(
        name=files.name,
        description=top.string("description"),
        core=core,
        qemu=qemu.string("machine"),
        cpu_flags=CORES[core].gcc_flags,
        flash=_region(memory.table("flash")),
        ram=ram,
        stack_bytes=memory.integer("stack_bytes", 256),
        clock_hz=top.integer("clock_hz", 1),
        timer=Timer(timer.string("source"), timer.integer("address", 0), timer.integer("hz", 1)),
        sections=(Section(RAM_SECTION, ram, True), *_sections(memory.optional_table("sections"))),
        files=files,
    )
    for reader in (top, memory, qemu, timer):
        reader.finish()
    _check_source(timer, board)
    return board


def _check_source(timer: _Reader, board: Board) -> None:
    source = board.timer.source
    if not re.fullmatch(r"\w+\.c", source):
        raise timer.error("source must be a plain file name that ends in .c", source)
    places = (board.files, directory("templates") / "firmware")
    if not any((place / source).is_file() for place in places):
        raise timer.error("source must be in the board's directory or in templates/firmware", source)


def _sections(reader: _Reader) -> list[Section]:
    sections = []
    for name in reader.names():
        if not _NAME.fullmatch(name) or name in _TAKEN:
            rule = f"a section's name is lower-case letters, digits and _, and none of {', '.join(_TAKEN)}"
            raise reader.error(rule, name)
        table = reader.table(name)
        copied = table.boolean("copied")
        sections.append(Section(name, _region(table), copied))
    reader.finish()
    return sections


def _region(reader: _Reader) -> MemoryRegion:
    region = MemoryRegion(reader.integer("address", 0), reader.integer("bytes", 1))
    reader.finish()
    if region.address % 8 or region.bytes % 8 or region.end > 2**32:
        raise reader.error("a memory region is aligned to 8 bytes and below 4 GiB", f"{region}")
    return region


def _check_memory(board: Board) -> None:
    where = f"{board.name}/board.toml"
    regions = [board.flash, board.ram, *(section.region for section in board.sections[1:])]
    regions.sort(key=lambda region: region.address)
    for low, high in pairwise(regions):
        if high.address < low.end:
            raise InvalidModelError(
                "flash, ram and sections must not overlap", layer=where, value=f"{low}, {high}"
            )
    if board.stack_bytes % 8 or board.stack_bytes >= board.ram.bytes:
        raise InvalidModelError(
            "stack_bytes must be a multiple of 8 and smaller than ram", layer=where, value=board.stack_bytes
        )


class _Reader:
    """A TOML table that is read key by key, so that what nobody read can be refused."""

    def __init__(self, where: str, table: Mapping[str, Any]) -> None:
        self._where = where
        self._rest = dict(table)

    def error(
        self, rule: str, value: object, hint: str = "compare with the other boards"
    ) -> InvalidModelError:
        return InvalidModelError(rule, layer=self._where, value=value, hint=hint)

    def table(self, key: str) -> _Reader:
        return _Reader(f"{self._where} [{key}]", self._take(key, dict, "a table"))

    def optional_table(self, key: str) -> _Reader:
        """The table; an empty one if it is not there."""
        return self.table(key) if key in self._rest else _Reader(f"{self._where} [{key}]", {})

    def names(self) -> list[str]:
        """What is still to be read."""
        return list(self._rest)

    def boolean(self, key: str) -> bool:
        if not isinstance(value := self._rest.pop(key, None), bool):
            raise self.error(f"{key} must be true or false", repr(value))
        return value

    def string(self, key: str) -> str:
        value: str = self._take(key, str, "a string")
        if not value or not value.isprintable() or any(character in value for character in '"\\*'):
            raise self.error(
                f"{key} must be printable, without quotes, backslashes and asterisks", repr(value)
            )
        return value

    def integer(self, key: str, minimum: int) -> int:
        value: int = self._take(key, int, "an integer")
        if not minimum <= value <= 2**32:
            raise self.error(f"{key} must be from {minimum} to 2**32", value)
        return value

    def finish(self) -> None:
        if self._rest:
            raise self.error("there is no such key", ", ".join(sorted(self._rest)))

    def _take(self, key: str, kind: type, what: str) -> Any:
        if key not in self._rest:
            raise self.error(f"{key} is missing; it must be {what}", "nothing")
        value = self._rest.pop(key)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise self.error(f"{key} must be {what}", repr(value))
        return value
