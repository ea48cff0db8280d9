"""What an image puts where, and the files that tools want of it: binary, Intel HEX, UF2."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from mcu_quant.boards import Board, MemoryRegion
from mcu_quant.errors import DoesNotFitError, InvalidInputError

#: Flash is erased to this.
_ERASED = b"\xff"
_HEX_BYTES = 16
_UF2_BYTES = 256
#: First and second word of a UF2 block, its last, and the flag for a family (UF2 specification).
_UF2_BEGIN, _UF2_BEGIN_2, _UF2_END, _UF2_FAMILY = 0x0A324655, 0x9E5D5157, 0x0AB16F30, 0x2000


@dataclass(frozen=True)
class Segment:
    """Bytes to be written from an address on."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        return self.address + len(self.data)


def read_segments(image: Path) -> list[Segment]:
    """By address. Raises InvalidInputError for what is no ELF file."""
    try:
        with image.open("rb") as stream:
            loaded = [
                s for s in ELFFile(stream).iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"]
            ]
            segments = [Segment(s["p_paddr"], s.data()) for s in loaded]
    except (OSError, ELFError) as error:
        raise InvalidInputError(
            "the image must be a readable ELF file",
            layer=str(image),
            value=error,
            hint="`mcu-quant build PROJECT` makes it",
        ) from error
    return sorted(segments, key=lambda segment: segment.address)


def check_image(board: Board, image: Path) -> list[Segment]:
    """The segments. Raises DoesNotFitError if one is in no memory of the board."""
    segments = read_segments(image)
    regions = [board.flash, *(section.region for section in board.sections)]
    for segment in segments:
        if not any(_holds(region, segment) for region in regions):
            raise DoesNotFitError(
                f"every byte must be in a memory of {board.name}",
                layer=str(image),
                value=f"0x{segment.address:08X} to 0x{segment.end - 1:08X}; flash is "
                f"0x{board.flash.address:08X} to 0x{board.flash.end - 1:08X}",
                hint=f"build the project for {board.name}, with --optimize size if it is too large",
            )
    return segments


def _holds(region: MemoryRegion, segment: Segment) -> bool:
    return region.address <= segment.address and segment.end <= region.end


def binary(segments: Sequence[Segment], region: MemoryRegion) -> bytes:
    """What the region holds, from its first byte to the last that is written; gaps are as erased."""
    data = bytearray()
    for segment in segments:
        _require_inside(segment, region)
        data += _ERASED * (segment.address - region.address - len(data)) + segment.data
    return bytes(data)


def intel_hex(segments: Sequence[Segment]) -> str:
    """Records of 16 bytes, as Intel's "Hexadecimal Object File Format Specification" (1988) has them."""
    lines, upper = [], -1
    for segment in segments:
        for address, data in _pieces(segment, _HEX_BYTES):
            if address >> 16 != upper:
                upper = address >> 16
                lines.append(_record(0, 4, upper.to_bytes(2, "big")))
            lines.append(_record(address & 0xFFFF, 0, data))
    return "\n".join([*lines, _record(0, 1, b"")]) + "\n"


def _record(address: int, kind: int, data: bytes) -> str:
    body = bytes([len(data)]) + address.to_bytes(2, "big") + bytes([kind]) + data
    return f":{(body + bytes([-sum(body) % 256])).hex().upper()}"


def uf2(segments: Sequence[Segment], region: MemoryRegion, family: int) -> bytes:
    """Blocks of 256 bytes of flash, whole pages, gaps as erased. family: of the chips that are to take it."""
    pages: dict[int, bytearray] = {}
    for segment in segments:
        _require_inside(segment, region)
        for address, data in _pieces(segment, _UF2_BYTES):
            page = pages.setdefault(address - address % _UF2_BYTES, bytearray(_ERASED * _UF2_BYTES))
            page[address % _UF2_BYTES : address % _UF2_BYTES + len(data)] = data
    begin = (_UF2_BEGIN, _UF2_BEGIN_2, _UF2_FAMILY)
    return b"".join(
        struct.pack("<8I", *begin, address, _UF2_BYTES, number, len(pages), family)
        + bytes(page).ljust(476, b"\0")
        + struct.pack("<I", _UF2_END)
        for number, (address, page) in enumerate(sorted(pages.items()))
    )


def _pieces(segment: Segment, size: int) -> Iterator[tuple[int, bytes]]:
    """(address, bytes) of the segment, none across a multiple of size."""
    at = segment.address
    while at < segment.end:
        end = min(at - at % size + size, segment.end)
        yield at, segment.data[at - segment.address : end - segment.address]
        at = end


def _require_inside(segment: Segment, region: MemoryRegion) -> None:
    if not _holds(region, segment):
        raise InvalidInputError(
            "this tool writes flash only",
            value=f"a segment at 0x{segment.address:08X}, of a section of --placement",
            hint="--tool pyocd or --tool openocd, which load every memory, or another placement",
        )
