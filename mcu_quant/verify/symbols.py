"""What each function and table of the model library takes in a linked image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Symbol as ElfSymbol

from mcu_quant.verify.control_flow import read_symbols

#: Sections of the linker script that hold the model library alone begin so; those of --placement, too.
PREFIX = ".mq_"
_KINDS = {".mq_code": "code", ".mq_data": "data", ".mq_bss": "zero"}
#: What is between symbols: bytes that align the next one.
PADDING = "(padding)"


@dataclass(frozen=True)
class Symbol:
    """kind: "code", "const", "data" or "zero". name: PADDING for what no symbol covers."""

    name: str
    kind: str
    section: str
    address: int
    bytes: int

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "kind": self.kind,
            "section": self.section,
            "address": self.address,
            "bytes": self.bytes,
        }


def kind_of(section: str) -> str:
    """What a section of the model library holds; constants if it is no other."""
    return _KINDS.get(section, "const")


def library_symbols(image: Path, table: Sequence[ElfSymbol] | None = None) -> list[Symbol]:
    """Every byte of the model library, by address: the sums by kind are the sizes of its sections.

    table: the image's symbol table, if it has been read already.
    """
    found: list[Symbol] = []
    symbols = [
        (symbol["st_shndx"], symbol["st_value"], symbol["st_size"], symbol.name)
        for symbol in (read_symbols(image) if table is None else table)
        if symbol["st_size"] and symbol["st_info"]["type"] in ("STT_FUNC", "STT_OBJECT")
    ]
    with image.open("rb") as stream:
        elf = ELFFile(stream)
        for index, section in enumerate(elf.iter_sections()):
            if section.name.startswith(PREFIX) and section["sh_size"]:
                inside = [(value & ~1, size, name) for where, value, size, name in symbols if where == index]
                end = section["sh_addr"] + section["sh_size"]
                found += _cover(section.name, section["sh_addr"], end, inside)
    return sorted(found, key=lambda symbol: (symbol.address, symbol.bytes))


def _cover(section: str, start: int, end: int, symbols: Iterable[tuple[int, int, str]]) -> list[Symbol]:
    """Symbols of one section and what is between them. Aliases of one address count once."""
    found, kind = [], kind_of(section)
    for address, size, name in sorted(symbols):
        if address > start:
            found.append(Symbol(PADDING, kind, section, start, address - start))
        if address >= start:
            found.append(Symbol(name, kind, section, address, size))
        start = max(start, address + size)
    if end > start:
        found.append(Symbol(PADDING, kind, section, start, end - start))
    return found


def total(symbols: Sequence[Symbol], kind: str) -> int:
    return sum(symbol.bytes for symbol in symbols if symbol.kind == kind)
