"""What tools say when a probe is missing or closed to the user, and what helps."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from mcu_quant.errors import DeviceError

_UDEV = (
    "add the probe's udev rule (of the tool's package; pyOCD's are in the directory udev of its repository), "
    "then `sudo udevadm control --reload`, and plug it in again"
)
_SHOWN = 300


@dataclass(frozen=True)
class _Trouble:
    said: str
    rule: str
    hint: Callable[[str], str]


_TROUBLES = (
    _Trouble(
        r"connection (timed out|refused)|could not connect",
        "a GDB server must listen there",
        lambda tool: "start it first: `pyocd gdbserver -t TARGET`, openocd, or QEMU with -S -gdb tcp::1234",
    ),
    _Trouble(
        r"access denied|insufficient permission|LIBUSB_ERROR_ACCESS|permission denied|no permission",
        "the probe must be open to you",
        lambda tool: (
            _UDEV if sys.platform == "linux" else f"close other programs, and run {tool} as administrator"
        ),
    ),
    _Trouble(
        r"target type .* not recognized|unknown target type",
        "pyOCD must know the chip",
        lambda tool: "`pyocd pack install TARGET` brings it, once; or another --tool",
    ),
    _Trouble(
        r"resource busy|LIBUSB_ERROR_BUSY|already in use|probe .* busy|device or resource busy",
        "the probe must not be in use by another program",
        lambda tool: "close the IDE or debugger that has it",
    ),
    _Trouble(
        r"no (connected|available) debug probes|no target device available|couldn't find any st-?link"
        r"|unable to find .*(cmsis-dap|probe|device)|open failed|no device found|no accessible rp"
        r"|cannot connect to (the probe|j-link)|no j-link|failed to open port|no .*emulators? connected",
        "a probe or a board in its boot loader must be connected",
        lambda tool: (
            "plug the board in by its debug USB port (a Pico: hold BOOTSEL meanwhile), with a data cable"
        ),
    ),
    _Trouble(
        r"locked|read.?out protection|rdp|access port protection|approtect",
        "the chip must not be locked",
        lambda tool: "mass erase it (`pyocd erase --chip`, `st-flash erase`): that deletes all it holds",
    ),
)


def explain(tool: str, status: int, printed: str) -> DeviceError:
    """The error for a tool that ended with another status than 0."""
    text = " ".join(printed.split())
    value = f"{tool} ended with {status}: {text[-_SHOWN:] or 'it printed nothing'}"
    for trouble in _TROUBLES:
        if re.search(trouble.said, text, re.IGNORECASE):
            return DeviceError(trouble.rule, layer=tool, value=value, hint=trouble.hint(tool))
    return DeviceError(
        "the tool must write the image",
        layer=tool,
        value=value,
        hint="its messages above; --dry-run prints the command, to be tried by hand; or another --tool",
    )
