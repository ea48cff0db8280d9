"""Requests and replies over a port that may lose or damage bytes: sent again until they arrive, done once.

The device does what a request says only if its sequence is the next one, and repeats its reply to the last
(docs/SERIAL_PROTOCOL.md); so a request is simply sent until there is a reply.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from mcu_quant.errors import DeviceError, EngineFailedError
from mcu_quant.verify.serial_frames import OVERHEAD_BYTES, Frame, decode
from mcu_quant.verify.serial_port import Port

PROTOCOL_VERSION = 1
#: Seconds after which a request is sent again, beside what its bytes and the board's work take.
_PATIENCE, _LONGEST_PATIENCE = 0.05, 1.0
#: No chunk is shorter, in bytes.
_SHORTEST_CHUNK = 16
_HELLO = struct.Struct("<BBHII")
#: So many characters are no accident.
_READABLE = 8
#: A frame longer than this is no frame: what is on the line is no firmware of ours.
_LONGEST_FRAME = 1 << 17


class Command(IntEnum):
    HELLO, READ, WRITE, RESET, RUN = range(1, 6)


class Status(IntEnum):
    DONE, DAMAGED, NO_SESSION, OUT_OF_SEQUENCE, REFUSED = range(5)


class SessionLostError(Exception):
    """The device has started anew: what was asked of it before is forgotten."""


@dataclass(frozen=True)
class Hello:
    """models: how many there are. chunk_bytes: of data in a frame. timer_hz: of ticks. clock_hz: CPU."""

    models: int
    chunk_bytes: int
    timer_hz: int
    clock_hz: int


class Link:
    """silence: seconds without an answer until the device is given up, beside the time that its work takes.

    chunk_bytes: how many bytes of data a frame should have: fewer where many frames are damaged.
    repeated: how many requests were sent again.
    """

    def __init__(self, port: Port, silence: float) -> None:
        self.chunk_bytes = _SHORTEST_CHUNK
        self.repeated = 0
        self._largest_chunk = _SHORTEST_CHUNK
        self._port = port
        self._silence = silence
        self._sequence = 0
        self._pending = b""
        self._latency = 4 * _PATIENCE

    def hello(self) -> Hello:
        """Begin a session. Its first sequence is random: nothing of an earlier one can be taken for it."""
        self._sequence = secrets.randbits(32)
        request = bytes([PROTOCOL_VERSION])
        reply = self.exchange(Command.HELLO, lambda: request)
        if reply == request:
            raise DeviceError(
                "the board must answer, and not the line",
                layer=self._port.name,
                value="what is sent comes back",
                hint="see that TX and RX are not joined, and that no other program echoes there",
            )
        if len(reply) < 1 or reply[0] != PROTOCOL_VERSION or len(reply) != _HELLO.size:
            raise DeviceError(
                f"the firmware must speak version {PROTOCOL_VERSION} of the protocol",
                layer=self._port.name,
                value=f"version {reply[0]}" if reply else "nothing",
                hint="generate, build and flash the project again with this version of mcu-quant",
            )
        _, models, chunk_bytes, timer_hz, clock_hz = _HELLO.unpack(reply)
        self._largest_chunk = max(chunk_bytes, _SHORTEST_CHUNK)
        self.chunk_bytes = min(max(self.chunk_bytes, chunk_bytes), self._largest_chunk)
        return Hello(models, chunk_bytes, timer_hz, clock_hz)

    def exchange(self, command: Command, payload: Callable[[], bytes], *, seconds: float = 0.0) -> bytes:
        """The payload of the reply. payload: asked again before each time that the request is sent.

        seconds: that the work itself may take. Raises SessionLostError, DeviceError without an answer.
        """
        self._sequence = (self._sequence + 1) % 2**32
        end = time.monotonic() + self._silence + seconds
        patience = max(_PATIENCE, 4 * self._latency)
        for attempt in range(2**31):
            frame = Frame(command, 0, self._sequence, payload()).encode()
            line = 10 * (len(frame) + self.chunk_bytes + OVERHEAD_BYTES) / self._port.baud
            sent = time.monotonic()
            self._port.write(frame)
            reply = self._reply(min(end, sent + line + patience + seconds))
            if reply is not None and reply.status in (Status.NO_SESSION, Status.OUT_OF_SEQUENCE):
                raise SessionLostError
            if reply is not None and reply.status == Status.REFUSED:
                raise EngineFailedError(
                    "the firmware must follow every request",
                    layer=self._port.name,
                    value=f"it refused {command.name} with {payload().hex()}",
                    hint="please report it, with the model",
                )
            if reply is not None and reply.status == Status.DONE:
                self._succeeded(attempt, time.monotonic() - sent - line, seconds)
                return reply.payload
            now = time.monotonic()
            if now >= end:
                raise self._no_answer(now - end + self._silence + seconds)
            self.repeated += 1
            self.chunk_bytes = max(self.chunk_bytes // 2, min(_SHORTEST_CHUNK, self._largest_chunk))
            if now >= sent + line + patience + seconds:
                patience = min(2 * patience, _LONGEST_PATIENCE)
        raise AssertionError("unreachable")

    def _succeeded(self, attempt: int, took: float, seconds: float) -> None:
        if attempt == 0:
            self.chunk_bytes = min(self.chunk_bytes + 8, self._largest_chunk)
            if seconds == 0:
                self._latency += 0.2 * (max(took, 0.0) - self._latency)

    def _reply(self, until: float) -> Frame | None:
        """The reply to the last request; None if there is none until then, or something damaged."""
        while True:
            *stuffed, self._pending = self._pending.split(b"\0")
            for index, piece in enumerate(stuffed):
                if not piece:
                    continue
                frame = decode(piece)
                is_ours = frame is not None and frame.sequence == self._sequence
                if frame is None or is_ours or frame.status == Status.DAMAGED:
                    self._pending = b"\0".join([*stuffed[index + 1 :], self._pending])
                    return frame if is_ours and frame is not None else None
            left = until - time.monotonic()
            if left <= 0:
                return None
            if len(self._pending) > _LONGEST_FRAME:
                self._pending = b""
            self._pending += self._port.read(left)

    def _heard(self) -> str:
        """What came instead, if people can read it: a fault, say, or another program's output."""
        text = "".join(c for c in self._pending.decode("ascii", "ignore") if c.isprintable() or c == "\n")
        return f"; it printed: {' '.join(text.split())[-300:]}" if len(text) >= _READABLE else ""

    def _no_answer(self, seconds: float) -> DeviceError:
        return DeviceError(
            "the board must answer",
            layer=self._port.name,
            value=f"no answer for {seconds:.1f} s, at {self._port.baud} baud{self._heard()}",
            hint="`mcu-quant flash PROJECT --program serve`, and reset the board; check the port and "
            "--baud, and with an adapter that TX and RX are crossed",
        )
