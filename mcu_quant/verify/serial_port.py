"""A serial port, or what pyserial opens by a URL; and what can be wrong with it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

from mcu_quant.errors import DeviceError, InvalidInputError, ToolMissingError


@dataclass(frozen=True)
class PortOptions:
    """port: a device (/dev/ttyACM0, COM3), or a URL of pyserial. baud: None for the board's.

    timeout: seconds that a board may be silent, beside the time of a run.
    """

    port: str
    baud: int | None = None
    timeout: float = 4.0

    def __post_init__(self) -> None:
        if not self.port:
            raise InvalidInputError("the port must have a name", hint="--port /dev/ttyACM0, or COM3")
        if self.baud is not None and not 0 < self.baud <= 10_000_000:
            raise InvalidInputError("the baud rate must be from 1 to 10,000,000", value=self.baud)
        if not 0 < self.timeout <= 3600:
            raise InvalidInputError(
                "the time-out must be more than 0 and at most 3600 seconds", value=self.timeout
            )


class Port:
    """An open port. DeviceError if the device goes away."""

    def __init__(self, serial: Any, name: str, baud: int) -> None:
        self._serial = serial
        self.name = name
        self.baud = baud

    def read(self, seconds: float) -> bytes:
        """What has come: at least a byte, or nothing after so many seconds."""
        try:
            self._serial.timeout = max(seconds, 0.0)
            first: bytes = self._serial.read(1)
            waiting = self._serial.in_waiting if first else 0
            return first + (self._serial.read(waiting) if waiting else b"")
        except (OSError, TypeError) as error:  # pyserial has TypeError where a port is closed meanwhile
            raise self._gone(error) from error

    def write(self, data: bytes) -> None:
        try:
            self._serial.write(data)
        except OSError as error:
            raise self._gone(error) from error

    def close(self) -> None:
        self._serial.close()

    def __enter__(self) -> Port:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _gone(self, error: Exception) -> DeviceError:
        return DeviceError(
            "the device must stay connected",
            layer=self.name,
            value=f"it went away: {error}",
            hint="the cable, the board's power, or whether another program took the port",
        )


def open_port(options: PortOptions, baud: int) -> Port:
    """baud: the board's, where options have none. Raises DeviceError, ToolMissingError for pyserial."""
    try:
        import serial
    except ImportError as error:
        raise ToolMissingError(
            "the Python package pyserial must be installed to talk to boards",
            hint="pip install 'mcu-quant[serial]'",
        ) from error
    rate = options.baud or baud
    try:
        opened = serial.serial_for_url(
            options.port, baudrate=rate, write_timeout=options.timeout, do_not_open=True
        )
        if "://" not in options.port:
            opened.exclusive = True
        opened.open()
        opened.reset_input_buffer()
    except (OSError, ValueError) as error:
        raise _cannot_open(options.port, error) from error
    return Port(opened, options.port, rate)


def _cannot_open(name: str, error: Exception) -> DeviceError:
    # pyserial has no errno where another program has locked the port, and of sockets.
    code = getattr(error, "errno", None)
    text = str(error)
    if code == errno.EACCES or "PermissionError" in text:
        rule = "the port must be readable and writable by you"
        hint = (
            "add yourself to its group (`sudo usermod -aG dialout $USER` on Debian, uucp on Arch) and log in "
            "again; on Windows this is also what a port says that another program has open"
        )
    elif code in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in text:
        rule = "the port must not be in use by another program"
        hint = "close the terminal, IDE or debugger that has it (`fuser PORT` says which)"
    elif code == errno.ENOENT or "FileNotFoundError" in text:
        rule = "there must be such a port"
        hint = f"plug the board in; {_ports()}"
    else:
        rule = "the port must open"
        hint = "a device like /dev/ttyACM0 or COM3, or socket://HOST:PORT with something listening there"
    return DeviceError(rule, layer=name, value=text, hint=hint)


def _ports() -> str:
    from serial.tools import list_ports

    names = sorted(port.device for port in list_ports.comports())
    return (
        f"the ports here are {', '.join(names)}" if names else "this computer has no serial port at present"
    )
