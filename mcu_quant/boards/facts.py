"""What is known of a board: the contents of its board.toml. docs/PORTING_A_BOARD.md has every key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from mcu_quant.sections import RAM

#: The section of the board's own RAM.
RAM_SECTION = RAM

#: Tool that flashes → the keys that it has in board.toml beside "tool".
FLASH_TOOLS: Mapping[str, tuple[str, ...]] = {
    "pyocd": ("target", "pack"),
    "openocd": ("interface", "target"),
    "st-flash": (),
    "jlink": ("target",),
    "picotool": ("family",),
    "uf2": ("family", "volume"),
    "bossac": (),
}


@dataclass(frozen=True)
class MemoryRegion:
    """address: of the first byte. bytes: how many there are."""

    address: int
    bytes: int

    @property
    def end(self) -> int:
        return self.address + self.bytes

    @property
    def is_possible(self) -> bool:
        return self.address % 8 == 0 and self.bytes % 8 == 0 and self.end <= 2**32

    def __str__(self) -> str:
        return f"{self.bytes} bytes at {self.address:#x}"


@dataclass(frozen=True)
class Section:
    """A linker section in which --placement may put weights, and the memory that it is in.

    copied: the memory is empty at reset, and start-up code copies the section there from flash.
    """

    name: str
    region: MemoryRegion
    copied: bool


@dataclass(frozen=True)
class Placed:
    """A linker section of flash with an address and a size of its own, as boot ROMs ask for."""

    name: str
    region: MemoryRegion


@dataclass(frozen=True)
class Timer:
    """A counter that runs freely. source: the C file with its port_counter(). hz, bits: its rate, width."""

    source: str
    address: int
    hz: int
    bits: int = 32


@dataclass(frozen=True)
class Console:
    """The UART that programs print to and the host talks to. source: the C file with the functions of uart.h.

    uart: its name in the chip's manual. clock_hz: of the UART. tx, rx: the chip's pins. port: where the user
    finds it.
    """

    source: str
    uart: str
    address: int
    clock_hz: int
    baud: int
    tx: str
    rx: str
    port: str


@dataclass(frozen=True)
class FlashTool:
    """A tool that writes an image to the board. tool: a key of FLASH_TOOLS, which says what else it has.

    target: the chip as the tool calls it (pyocd: --target; openocd: the script; jlink: the device). pack:
    pyOCD has the target from a CMSIS pack. interface: openocd's script of the probe. family: of UF2
    blocks. volume: the label of the drive that takes UF2.
    """

    tool: str
    target: str = ""
    pack: bool = False
    interface: str = ""
    family: int = 0
    volume: str = ""


@dataclass(frozen=True)
class Board:
    """One board. files: its directory; a file there takes the place of the common one in templates/firmware.

    core: a key of CORES. cpu_flags: the compiler's. qemu: the -machine that models the board, None if
    none does. qemu_timer: what counts there, if not what counts on the chip. qemu_serial: which of QEMU's
    serial ports the console is. clock: where clock_hz comes from. vectors: the address of the vector
    table. placed: what else has an address in flash. stack_bytes: what the linker script keeps for the
    stack, out of ram. sections: memories that weights and arenas may go to; the first is "ram", the
    board's own. flash_tools: the best first. shared: files of templates/firmware that the board's own
    include.
    """

    name: str
    description: str
    chip: str
    core: str
    fpu: bool
    dsp: bool
    cpu_flags: tuple[str, ...]
    clock_hz: int
    clock: str
    flash: MemoryRegion
    ram: MemoryRegion
    vectors: int
    placed: tuple[Placed, ...]
    stack_bytes: int
    sections: tuple[Section, ...]
    timer: Timer
    console: Console
    flash_tools: tuple[FlashTool, ...]
    qemu: str | None
    qemu_timer: Timer
    qemu_serial: int
    shared: tuple[str, ...]
    files: Path = field(compare=False)

    @property
    def flash_bytes(self) -> int:
        return self.flash.bytes

    @property
    def ram_bytes(self) -> int:
        return self.ram.bytes

    @property
    def itself(self) -> Board:
        """As if QEMU had no such machine: programs are then for the chip, its console and its counter."""
        return replace(self, qemu=None, qemu_timer=self.timer)

    def as_json(self) -> dict[str, object]:
        """An element of `boards --json`."""
        return {
            "name": self.name,
            "description": self.description,
            "chip": self.chip,
            "core": self.core,
            "fpu": self.fpu,
            "dsp": self.dsp,
            "qemu": self.qemu,
            "flash_bytes": self.flash_bytes,
            "ram_bytes": self.ram_bytes,
            "stack_bytes": self.stack_bytes,
            "clock_hz": self.clock_hz,
            "sections": [section.name for section in self.sections],
            "flash_tools": [tool.tool for tool in self.flash_tools],
        }
