"""Boards on QEMU with their UART at a TCP port, and a line to them that loses and damages bytes."""

from __future__ import annotations

import json
import random
import select
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcu_quant.boards import Board
from mcu_quant.codegen.project import qemu_arguments
from mcu_quant.deployment import Deployment
from mcu_quant.verify.image import build_images


@dataclass
class Served:
    """A board that runs serve.c. url: of its UART, for pyserial."""

    process: subprocess.Popen[bytes]
    port: int
    control: Path

    @property
    def url(self) -> str:
        return f"socket://localhost:{self.port}"

    def reset(self) -> None:
        """As if its button were pressed."""
        self.ask("system_reset")

    def terminal(self) -> str:
        """The device of its UART, where that is a pseudo-terminal."""
        devices = {device["label"]: device["filename"] for device in self.ask("query-chardev")}
        return str(devices["serial0"]).removeprefix("pty:")

    def ask(self, command: str, **arguments: object) -> Any:
        """Have QEMU do that (QMP), and return its answer."""
        requests: tuple[dict[str, object], ...] = (
            {"execute": "qmp_capabilities"},
            {"execute": command, "arguments": arguments},
        )
        with closing(socket.socket(socket.AF_UNIX)) as control:
            control.settimeout(5)
            control.connect(str(self.control))
            lines = control.makefile("rw", encoding="utf-8")
            for request in requests:
                lines.write(json.dumps(request) + "\n")
                lines.flush()
                while "return" not in (reply := json.loads(lines.readline())):
                    assert "error" not in reply, reply
        return reply["return"]


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("localhost", 0))
        return int(one.getsockname()[1])


@contextmanager
def served(board: Board, deployment: Deployment, folder: Path, *, pty: bool = False) -> Iterator[Served]:
    """Build the firmware there, and run it on the board's machine. pty: as in running."""
    (image,) = build_images(board, deployment, ("serve",), folder)
    with running(board, folder, "-kernel", str(image), pty=pty) as machine:
        yield machine


@contextmanager
def running(board: Board, folder: Path, *arguments: str, pty: bool = False) -> Iterator[Served]:
    """The board's machine, which ends with the context. pty: its UART is a pseudo-terminal, no TCP port."""
    port, control = free_port(), folder / "qmp"
    console = "pty" if pty else f"tcp:localhost:{port},server=on,wait=off,nodelay=on"
    command = ["qemu-system-arm", *qemu_arguments(board, console), *arguments]
    command += ["-qmp", f"unix:{control},server=on,wait=off"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        _wait_for(lambda: (pty or _is_taken(port)) and _listens(control), process)
        yield Served(process, port, control)
    finally:
        process.kill()
        process.wait()


def _is_taken(port: int) -> bool:
    """Whether something listens there; asked without connecting, for QEMU takes one connection."""
    with closing(socket.socket()) as one:
        try:
            one.bind(("localhost", port))
        except OSError:
            return True
        return False


def _listens(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as one:
        return one.connect_ex(str(path)) == 0


def _wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert process.poll() is None and time.monotonic() < end, "QEMU does not start"
        time.sleep(0.02)


@dataclass
class Line:
    """What a line does to bytes. corrupted, dropped, doubled: the chance of each byte. seen: bytes so far.

    at: what to do when so many bytes have passed.
    """

    corrupted: float = 0.0
    dropped: float = 0.0
    doubled: float = 0.0
    at: tuple[int, Callable[[], None]] | None = None
    seed: int = 0
    seen: int = 0
    changed: int = 0

    def pass_on(self, data: bytes, chance: random.Random) -> bytes:
        out = bytearray()
        for byte in data:
            self.seen += 1
            if self.at is not None and self.seen == self.at[0]:
                self.at[1]()
            fate = chance.random()
            if fate < self.corrupted:
                out.append(byte ^ chance.randrange(1, 256))
            elif fate < self.corrupted + self.doubled:
                out += bytes([byte, byte])
            elif fate >= self.corrupted + self.doubled + self.dropped:
                out.append(byte)
                continue
            self.changed += 1
        return bytes(out)


@contextmanager
def through(line: Line, port: int) -> Iterator[str]:
    """The URL of a line to that TCP port, for one connection."""
    with closing(socket.create_server(("localhost", 0))) as server:
        thread = threading.Thread(target=_serve_line, args=(server, port, line), daemon=True)
        thread.start()
        yield f"socket://localhost:{server.getsockname()[1]}"
    thread.join(10)


def _serve_line(server: socket.socket, port: int, line: Line) -> None:
    server.settimeout(20)
    near, _ = server.accept()
    chance = random.Random(line.seed)
    with closing(near), closing(socket.create_connection(("localhost", port))) as far:
        ends = {near: far, far: near}
        for end in ends:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            for end in select.select(list(ends), [], [])[0]:
                try:
                    data = end.recv(4096)
                    if not data:
                        return
                    ends[end].sendall(line.pass_on(data, chance))
                except OSError:
                    return
