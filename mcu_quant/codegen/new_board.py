"""The directory of a new board, with what is still to be filled in: templates/board."""

from __future__ import annotations

from mcu_quant.boards import MemoryRegion, check_board_name
from mcu_quant.codegen.templates import environment
from mcu_quant.errors import InvalidInputError
from mcu_quant.kernels.base import CORES
from mcu_quant.resources import directory

#: Cores without the cycle counter of a DWT: SysTick counts.
_WITHOUT_DWT = ("cortex-m0", "cortex-m0plus")


def render_new_board(name: str, core: str, flash: MemoryRegion, ram: MemoryRegion) -> dict[str, str]:
    """File name → text. It can be used at once, with a UART that goes nowhere. Raises InvalidInputError."""
    check_board_name(name)
    if core not in CORES or core == "generic":
        known = ", ".join(key for key in CORES if key != "generic")
        raise InvalidInputError("the core must be a known Cortex-M", value=core, hint=known)
    _check_memory(flash, ram)
    has_dwt = core not in _WITHOUT_DWT
    context = {
        "name": name,
        "core": core,
        "fpu": "-mfloat-abi=hard" in CORES[core].gcc_flags,
        "dsp": "dsp" in CORES[core].families,
        "flash_address": flash.address,
        "flash_bytes": flash.bytes,
        "ram_address": ram.address,
        "ram_bytes": ram.bytes,
        "stack_bytes": 4096 if ram.bytes >= 2**16 else 1024,
        "timer": "timer_dwt.c" if has_dwt else "timer_systick.c",
        "timer_address": 0xE0001000 if has_dwt else 0xE000E010,
        "drivers": sorted(path.name for path in (directory("templates") / "firmware").glob("uart_*.c")),
    }
    made = {file: file for file in ("board.toml", "README.md", "board.c")} | {f"uart_{name}.c": "uart.c"}
    templates = environment("board")
    return {file: templates.get_template(f"{source}.j2").render(context) for file, source in made.items()}


def _check_memory(flash: MemoryRegion, ram: MemoryRegion) -> None:
    """What read_board would refuse in the file, before it is written."""
    least = 4096
    rule = ""
    if flash.bytes < least or ram.bytes < least:
        rule = f"flash and RAM must have {least} bytes at least"
    elif not (flash.is_possible and ram.is_possible):
        rule = "flash and RAM must be aligned to 8 bytes, and below 4 GiB"
    elif flash.address % 128:
        rule = "flash must begin at a multiple of 128, as the vector table there does"
    elif flash.address < ram.end and ram.address < flash.end:
        rule = "flash and RAM must not overlap"
    if rule:
        raise InvalidInputError(rule, value=f"flash {flash}, RAM {ram}")
