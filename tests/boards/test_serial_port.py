"""Serial ports that cannot be used, and boards that do not answer: errors that say what to do, in time."""

from __future__ import annotations

import errno
import os
import pty
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
import serial

from mcu_quant.boards import load_board
from mcu_quant.errors import (
    DeviceError,
    InvalidInputError,
    McuQuantError,
    ToolMissingError,
)
from mcu_quant.samples import default_inputs
from mcu_quant.verify.serial_engine import SerialEngine
from mcu_quant.verify.serial_port import PortOptions, open_port
from tests.boards.models import deploy, tiny_model

M3 = load_board("mps2_an385")


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """(our end, name of the other) of a pseudo-terminal, which is a serial port to pyserial."""
    ours, theirs = pty.openpty()
    yield ours, os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def run_at(port: str, timeout: float = 4.0) -> None:
    deployment = deploy(tiny_model(), M3)
    SerialEngine(deployment, M3, PortOptions(port, timeout=timeout)).run(default_inputs(deployment.graph, 1))


def refusal(port: str, code: int = 2) -> str:
    with pytest.raises(McuQuantError) as caught:
        run_at(port)
    assert caught.value.exit_code == code and "Try: " in str(caught.value)
    return str(caught.value)


def test_a_port_that_is_not_there() -> None:
    assert "there must be such a port (seen: [Errno 2]" in refusal("/dev/ttyNONE7")


def test_a_url_where_nothing_listens() -> None:
    with closing(socket.socket()) as one:
        one.bind(("localhost", 0))
        assert "the port must open" in refusal(f"socket://localhost:{one.getsockname()[1]}")


def test_a_line_that_sends_back_what_it_gets(terminal: tuple[int, str]) -> None:
    """TX and RX joined, or a terminal that echoes."""
    ours, name = terminal

    def echo() -> None:
        with suppress(OSError):
            while data := os.read(ours, 256):
                os.write(ours, data)

    threading.Thread(target=echo, daemon=True).start()
    assert "(seen: what is sent comes back). Try: see that TX and RX are not joined" in refusal(name)


def test_a_url_that_is_none() -> None:
    assert "the port must open" in refusal("nonsense://localhost:1")


def test_a_port_that_is_in_use(terminal: tuple[int, str]) -> None:
    with closing(serial.Serial(terminal[1], exclusive=True)):
        assert "must not be in use by another program" in refusal(terminal[1])


@pytest.mark.parametrize(
    "code, rule", [(errno.EACCES, "readable and writable by you"), (errno.EBUSY, "in use by another program")]
)
def test_what_the_system_refuses(
    code: int, rule: str, terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of root may open everything, so the system's answer is put in its place."""

    def refuse(path: str, *_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr("serial.serialposix.os.open", refuse)
    message = refusal(terminal[1])
    assert rule in message
    assert code != errno.EACCES or "usermod -aG dialout" in message


def test_without_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    with pytest.raises(ToolMissingError, match=r"pip install 'mcu-quant\[serial\]'") as caught:
        open_port(PortOptions("/dev/ttyACM0"), 115_200)
    assert caught.value.exit_code == 5


@pytest.mark.slow
def test_no_answer_within_5_seconds(terminal: tuple[int, str]) -> None:
    start = time.monotonic()
    message = refusal(terminal[1], code=2)
    assert time.monotonic() - start < 5
    assert "the board must answer (seen: no answer for 4.0 s, at 115200 baud)" in message
    assert "--program serve" in message


def test_what_the_board_says_instead_is_shown(terminal: tuple[int, str]) -> None:
    os.write(terminal[0], b"fault: r0=00000000 pc=08001234\r\n")
    thread = threading.Timer(0.3, os.write, (terminal[0], b"exit: failure\r\n"))
    thread.start()
    with pytest.raises(DeviceError, match=r"it printed: .*exit: failure"):
        run_at(terminal[1], timeout=1.0)
    thread.join()


def test_noise_is_no_answer(terminal: tuple[int, str]) -> None:
    stop = threading.Event()

    def make_noise() -> None:
        while not stop.wait(0.01):
            os.write(terminal[0], os.urandom(64))

    thread = threading.Thread(target=make_noise)
    thread.start()
    try:
        with pytest.raises(DeviceError, match="the board must answer"):
            run_at(terminal[1], timeout=1.5)
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "port, baud, timeout, message",
    [
        ("", None, 4.0, "must have a name"),
        ("COM3", 0, 4.0, "baud rate"),
        ("COM3", None, 0.0, "time-out"),
        ("COM3", None, float("nan"), "time-out"),
    ],
)
def test_options_that_make_no_sense(port: str, baud: int | None, timeout: float, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        PortOptions(port, baud, timeout)


def test_the_rate_is_the_boards_unless_given(terminal: tuple[int, str]) -> None:
    with open_port(PortOptions(terminal[1]), 115_200) as port:
        assert port.baud == 115_200
    with open_port(PortOptions(terminal[1], baud=57_600), 115_200) as port:
        assert port.baud == 57_600
