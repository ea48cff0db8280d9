"""What takes the room of each memory of a board, from the linked image, and whether it fits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile

from mcu_quant.boards import RAM_SECTION, Board, MemoryRegion, board_that_fits
from mcu_quant.errors import DoesNotFitError

FLASH = "flash"
#: Sections of the linker script → what they are; those of --placement and of the board have their names.
_TITLES = {
    ".mq_code": "model: code",
    ".mq_const": "model: weights and tables",
    ".text": "program and C library: code",
    ".rodata": "program and C library: constants",
    ".vectors": "vector table",
    ".stack": "stack",
}
#: Variables get a line of their own from so many bytes on.
_SHOWN_BYTES = 32
#: What a program takes of flash beside the model's tables, where it is not linked yet.
CODE_ALLOWANCE = 16 * 1024


@dataclass(frozen=True)
class Room:
    """A memory of the board. memory: "flash", "ram" or a section's name. bytes: how many it has.

    parts: (what, bytes), the largest first; their sum, needed_bytes, counts gaps between sections.
    """

    memory: str
    bytes: int
    parts: tuple[tuple[str, int], ...]

    @property
    def needed_bytes(self) -> int:
        return sum(count for _, count in self.parts)

    @property
    def excess_bytes(self) -> int:
        return max(0, self.needed_bytes - self.bytes)

    def part(self, what: str) -> int:
        return dict(self.parts).get(what, 0)

    def as_json(self) -> dict[str, Any]:
        parts = [{"what": what, "bytes": count} for what, count in self.parts]
        return {"memory": self.memory, "bytes": self.bytes, "needed_bytes": self.needed_bytes, "parts": parts}


@dataclass(frozen=True)
class _Piece:
    memory: str
    what: str
    address: int
    bytes: int


def read_rooms(image: Path, board: Board) -> tuple[Room, ...]:
    """Of each memory that the image has something in; flash and RAM in any case.

    image: as the board's linker script links it, also beyond the ends of memories (--noinhibit-exec).
    """
    regions = {FLASH: board.flash, **{section.name: section.region for section in board.sections}}
    with image.open("rb") as stream:
        pieces = list(_pieces(ELFFile(stream), regions))
    used = [name for name in regions if name in (FLASH, RAM_SECTION) or any(p.memory == name for p in pieces)]
    return tuple(_room(name, regions[name], [p for p in pieces if p.memory == name]) for name in used)


def require_fit(
    image: Path, board: Board, layer: str, optimize: str | None = None, arena_bytes: int = 0
) -> tuple[Room, ...]:
    """The rooms, all of which are enough. Raises DoesNotFitError with their table and what to try.

    layer: whose image it is, for the message. optimize: the mode it was generated with, if known.
    arena_bytes: of the arena in RAM, if known.
    """
    rooms = read_rooms(image, board)
    full = [room for room in rooms if room.excess_bytes]
    if full:
        raise DoesNotFitError(
            f"the image must fit {board.name}: "
            + ", ".join(f"{room.bytes} bytes of {room.memory}" for room in full),
            layer=layer,
            value=", ".join(f"{room.memory} exceeded by {room.excess_bytes} bytes" for room in full),
            hint=what_to_try(board, rooms, optimize, arena_bytes),
            memory=[room.as_json() for room in rooms],
        )
    return rooms


def what_to_try(board: Board, rooms: Sequence[Room], optimize: str | None, arena_bytes: int) -> str:
    """One line, the cheapest first."""
    by_name = {room.memory: room for room in rooms}
    flash, ram = by_name[FLASH], by_name[RAM_SECTION]
    ways = []
    if flash.excess_bytes and optimize != "size":
        ways.append("--optimize size")
    if 0 < ram.excess_bytes < arena_bytes:
        ways.append(f"--ram {(arena_bytes - ram.excess_bytes) // 16 * 16}")
    if flash.excess_bytes:
        ways.append(
            "a technique with smaller weights (`mcu-quant compare --board` has the sizes), or fewer of them"
        )
    ways.append(board_that_fits(board, flash.needed_bytes, ram.needed_bytes - ram.part("stack")))
    return ", or ".join(ways)


def _pieces(elf: ELFFile, regions: dict[str, MemoryRegion]) -> Iterator[_Piece]:
    for index, section in enumerate(elf.iter_sections()):
        size, address = section["sh_size"], section["sh_addr"]
        if not size or not section["sh_flags"] & SH_FLAGS.SHF_ALLOC:
            continue
        memory, what = _memory_at(address, regions), _title(section.name)
        if section["sh_type"] == "SHT_NOBITS":
            yield from _variables(elf, index, _Piece(memory, what, address, size))
            continue
        yield _Piece(memory, what, address, size)
        load = _load_address(elf, section)
        if (stored := _memory_at(load, regions)) != memory:
            yield _Piece(stored, f"{what}, until it is copied", load, size)


def _title(section: str) -> str:
    if section.startswith(".mq_") and section not in _TITLES:
        return f"model: {section.removeprefix('.mq_')}"
    return _TITLES.get(section, section.removeprefix("."))


def _variables(elf: ELFFile, index: int, whole: _Piece) -> Iterator[_Piece]:
    """The large variables of a section by name, and the rest of it."""
    table: Any = elf.get_section_by_name(".symtab")
    if table is None or whole.what == _TITLES[".stack"]:
        yield whole
        return
    inside = [symbol for symbol in table.iter_symbols() if symbol["st_shndx"] == index]
    named = {s["st_value"]: s for s in inside if s["st_size"] >= _SHOWN_BYTES}
    for address, symbol in named.items():
        yield _Piece(whole.memory, symbol.name, address, symbol["st_size"])
    if (rest := whole.bytes - sum(symbol["st_size"] for symbol in named.values())) > 0:
        yield _Piece(whole.memory, "other variables", whole.address + whole.bytes - rest, rest)


def _load_address(elf: ELFFile, section: Any) -> int:
    """Where the section's bytes are flashed to."""
    for segment in elf.iter_segments():
        if segment["p_type"] == "PT_LOAD" and segment.section_in_segment(section):
            return int(segment["p_paddr"] + section["sh_addr"] - segment["p_vaddr"])
    return int(section["sh_addr"])


def _memory_at(address: int, regions: dict[str, MemoryRegion]) -> str:
    """The memory that begins last before the address: what overflows one is still its own."""
    below = [name for name, region in regions.items() if region.address <= address]
    return max(below, key=lambda name: regions[name].address)


def _room(name: str, region: MemoryRegion, pieces: Sequence[_Piece]) -> Room:
    sums: dict[str, int] = {}
    for piece in pieces:
        sums[piece.what] = sums.get(piece.what, 0) + piece.bytes
    end = max((piece.address + piece.bytes for piece in pieces), default=region.address)
    if (gaps := end - region.address - sum(sums.values())) > 0:
        sums["gaps"] = gaps
    return Room(name, region.bytes, tuple(sorted(sums.items(), key=lambda part: -part[1])))
