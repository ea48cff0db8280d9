"""Frames of the serial protocol: bytes with a CRC-32, stuffed so that zero means their end.

docs/SERIAL_PROTOCOL.md has the layout; templates/firmware/frames.c is the twin.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

#: payload bytes, command, status, sequence: 8 bytes, little-endian, before the payload.
_HEADER = struct.Struct("<HBBI")
_CRC = struct.Struct("<I")
#: Bytes between two zeros of the line are at most so many without one of the sender's own.
_LONGEST_PIECE = 254
#: What a frame is longer than its payload: header, CRC, and two zeros. Stuffing adds 1 byte and 1 in 254.
OVERHEAD_BYTES = _HEADER.size + _CRC.size + 2


@dataclass(frozen=True)
class Frame:
    """command, status: 0 to 255. sequence: 32 bits, unsigned; a reply has that of its request."""

    command: int
    status: int
    sequence: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """As it goes over the line, with a zero before and behind."""
        body = _HEADER.pack(len(self.payload), self.command, self.status, self.sequence) + self.payload
        return b"\0" + stuff(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def decode(stuffed: bytes) -> Frame | None:
    """The frame that was between two zeros; None if it is damaged."""
    body = unstuff(stuffed)
    if body is None or len(body) < _HEADER.size + _CRC.size:
        return None
    body, crc = body[: -_CRC.size], body[-_CRC.size :]
    length, command, status, sequence = _HEADER.unpack_from(body)
    payload = body[_HEADER.size :]
    if zlib.crc32(body) != _CRC.unpack(crc)[0] or length != len(payload):
        return None
    return Frame(command, status, sequence, payload)


def stuff(data: bytes) -> bytes:
    """Consistent Overhead Byte Stuffing: each zero becomes the length of the piece behind it, plus 1."""
    out = bytearray()
    *before_zeros, last = data.split(b"\0")
    for piece in before_zeros:
        whole = len(piece) // _LONGEST_PIECE * _LONGEST_PIECE
        out += _pieces(piece[:whole]) + bytes([len(piece) - whole + 1]) + piece[whole:]
    return bytes(out + (_pieces(last) or b"\x01"))


def _pieces(data: bytes) -> bytes:
    """Bytes without a zero, none behind them either."""
    cut = [data[at : at + _LONGEST_PIECE] for at in range(0, len(data), _LONGEST_PIECE)]
    return b"".join(bytes([len(piece) + 1]) + piece for piece in cut)


def unstuff(stuffed: bytes) -> bytes | None:
    """The inverse; None if the last piece is not whole, or a zero is where a length should be."""
    out, at = bytearray(), 0
    while at < len(stuffed):
        end = at + stuffed[at]
        if end > len(stuffed) or end == at:
            return None
        out += stuffed[at + 1 : end]
        if stuffed[at] != _LONGEST_PIECE + 1 and end < len(stuffed):
            out += b"\0"
        at = end
    return bytes(out)
