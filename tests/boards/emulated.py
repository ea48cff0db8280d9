"""Images on a model of their chip: Unicorn executes, chips.py answers for clocks, uarts.py for the UART."""

from __future__ import annotations

import struct
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from mcu_quant.boards import Board
from tests.boards import chips, uarts
from tests.boards.chips import Chip
from tests.boards.test_images import memories_of
from tests.boards.uarts import Uart
from tests.conftest import is_ci

unicorn = import_module("unicorn") if is_ci() else pytest.importorskip("unicorn")
from unicorn import arm_const  # noqa: E402

CHIPS: dict[str, tuple[type[Chip], type[Uart]]] = {
    "arduino_nano33ble": (chips.Nordic, uarts.NordicUart),
    "frdm_k64f": (chips.Kinetis, uarts.KinetisUart),
    "netduinoplus2": (chips.Stm32F405, uarts.OldUsart),
    "nrf52840_dk": (chips.Nordic, uarts.NordicUart),
    "nucleo_f446re": (chips.Stm32F446, uarts.OldUsart),
    "nucleo_g0b1re": (chips.Stm32G0, uarts.NewUsart),
    "nucleo_h743zi": (chips.Stm32H7, uarts.NewUsart),
    "nucleo_l4r5zi": (chips.Stm32L4, uarts.LowPowerUart),
    "nucleo_u575zi_q": (chips.Stm32U5, uarts.NewUsart),
    "rpi_pico": (chips.Rp2, uarts.Pl011),
    "rpi_pico2": (chips.Rp2350, uarts.Pl011),
    "stm32f746g_disco": (chips.Stm32F746, uarts.NewUsart),
    "stm32vldiscovery": (chips.Stm32F1, uarts.OldUsart),
}
CPUS = {
    "cortex-m0plus": arm_const.UC_CPU_ARM_CORTEX_M0,
    "cortex-m3": arm_const.UC_CPU_ARM_CORTEX_M3,
    "cortex-m4": arm_const.UC_CPU_ARM_CORTEX_M4,
    "cortex-m7": arm_const.UC_CPU_ARM_CORTEX_M7,
    "cortex-m33": arm_const.UC_CPU_ARM_CORTEX_M33,
}
#: What the core has of its own: 0xE000E000 and beyond, and RP2040's flash controller.
CORE, FLASH_CONTROLLER = 0xE0000000, 0x18000000
VTOR, CCR, CPACR = 0xE000ED08, 0xE000ED14, 0xE000ED88


def chip_of(board: Board) -> Chip:
    chip_type, uart_type = CHIPS[board.name]
    return chip_type(uart_type(board.console.address))


def run(board: Board, image: Path, chip: Chip, ended: Callable[[], bool], most: int = 0) -> int:
    """Run the image from reset until it has ended. Returns where it is.

    most: instructions that it may take; 0 for any number.
    """
    machine = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
    machine.ctl_set_cpu_model(CPUS[board.core])
    for first, size in memories_of(board.name):
        machine.mem_map(first & ~0xFFF, (size + 0xFFF) & ~0xFFF)
    with image.open("rb") as stream:
        for segment in ELFFile(stream).iter_segments():
            if segment["p_type"] == "PT_LOAD" and segment["p_filesz"]:
                machine.mem_write(segment["p_paddr"], segment.data())
    for first, size in ((0x40000000, 0x20000000), (CORE, 0x100000), (FLASH_CONTROLLER, 0x1000)):
        machine.mmio_map(
            first,
            size,
            lambda uc, place, count, base: chip.read(base + place, count),
            first,
            lambda uc, place, count, value, base: chip.write(base + place, count, value),
            first,
        )
    stack, entry = struct.unpack("<2I", machine.mem_read(board.vectors, 8))
    if board.placed and board.placed[0].name == "boot2":
        entry = boot_rom(machine)
    machine.reg_write(arm_const.UC_ARM_REG_SP, stack)

    def at_block(uc: unicorn.Uc, *_: object) -> None:
        if ended():
            uc.emu_stop()

    machine.hook_add(unicorn.UC_HOOK_BLOCK, at_block)
    machine.emu_start(entry | 1, 0xFFFFFFFE, count=most)
    return int(machine.reg_read(arm_const.UC_ARM_REG_PC))


def boot_rom(machine: unicorn.Uc) -> int:
    """RP2040's: 256 bytes from flash go to the end of SRAM, and run there."""
    place = 0x20041F00
    machine.mem_write(place, bytes(machine.mem_read(0x10000000, 256)))
    return place
