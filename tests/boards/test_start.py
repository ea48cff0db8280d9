"""Boards on a model of their chip, from reset to the console's last byte.

Unicorn executes the instructions; chips.py answers for clocks and UARTs. So the order of start-up, its waits,
the clock and the baud rate that come of it, and the program's outputs are tested, short of silicon.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mcu_quant.boards import Board, load_board
from mcu_quant.codegen.project import render_sources
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.verify.image import link_images
from tests.boards import chips, uarts
from tests.boards.chips import Chip
from tests.boards.emulated import CCR, CHIPS, CPACR, FLASH_CONTROLLER, VTOR, chip_of, run
from tests.boards.models import deploy, tiny_model
from tests.conftest import require_tools

END = b"exit: success\n"
MOST_INSTRUCTIONS = 3_000_000


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Chip]:
    """What a board's chip is like when its program has ended; each is started once."""
    ended: dict[str, Chip] = {}

    def run_once(name: str) -> Chip:
        if name not in ended:
            board = load_board(name)
            chip = chip_of(board)
            start(board, build(board, tmp_path_factory.mktemp(name)), chip)
            ended[name] = chip
        return ended[name]

    return run_once


def build(board: Board, folder: Path) -> Path:
    """main.c for the UART, also where QEMU has the board."""
    require_tools("arm-none-eabi-gcc")
    deployment = deploy(tiny_model(), board)
    files = render_sources(board, [deployment], ["main.c"], port="uart")
    return link_images(board, deployment, files, ["main"], folder)[0]


def start(board: Board, image: Path, chip: Chip) -> None:
    """Run the image from reset until it has printed its end. Fails if it does not get there."""
    sent = chip.uart.sent
    place = run(board, image, chip, lambda: sent.endswith(END), MOST_INSTRUCTIONS)
    assert sent.endswith(END), f"at {place:#x}, after {bytes(sent)!r}"


@pytest.mark.qemu
@pytest.mark.parametrize("name", CHIPS)
def test_the_image_starts_and_its_console_speaks(name: str, started: Callable[[str], Chip]) -> None:
    board, chip = load_board(name), started(name)
    text = chip.uart.sent.decode()
    assert f"tiny on {name}\n" in text
    model = tiny_model()
    zeros = [np.full(t.shape, t.zero_point, t.dtype) for t in model.graph.input_tensors()]
    (expected,) = run_graph(model.graph, [x[None] for x in zeros])
    (printed,) = re.findall(r"output 0.*: ((?:-?\d+ ?)+)\n", text)
    assert [int(word) for word in printed.split()] == expected.ravel().tolist()
    assert chip.core_hz() == board.clock_hz and chip.uart_hz() == board.console.clock_hz
    assert abs(chip.uart.baud(chip) / board.console.baud - 1) < 0.01
    assert chip.wait_states() >= chip.least_wait_states
    check_core(board, chip)
    if name == "rpi_pico":
        ssi = [chip.words[FLASH_CONTROLLER + place] for place in (0x00, 0x04, 0x08, 0x14, 0xF4)]
        assert ssi == [0x001F0300, 0, 1, 4, 0x03000218]


def check_core(board: Board, chip: Chip) -> None:
    if board.core != "cortex-m0plus" or board.name == "rpi_pico":
        assert chip.words[VTOR] == board.vectors
    assert (chip.bits(CPACR, 20, 4) == 0xF) is board.fpu
    assert (chip.bits(CCR, 16, 2) == 3) is (board.core == "cortex-m7"), "caches"


#: Alternate function of the UART's pins, from the chips' datasheets.
ALTERNATE = {
    "netduinoplus2": 8,
    "nucleo_f446re": 7,
    "nucleo_g0b1re": 1,
    "nucleo_h743zi": 7,
    "nucleo_l4r5zi": 8,
    "nucleo_u575zi_q": 7,
    "stm32f746g_disco": 7,
}
#: Port A, and how far apart ports are.
PORTS = {"nucleo_g0b1re": 0x50000000, "nucleo_h743zi": 0x58020000, "nucleo_l4r5zi": 0x48000000}
PORTS |= {"nucleo_u575zi_q": 0x42020000}


@pytest.mark.qemu
@pytest.mark.parametrize("name", CHIPS)
def test_the_pins_are_those_of_board_toml(name: str, started: Callable[[str], Chip]) -> None:
    board, chip = load_board(name), started(name)
    for pin, nordic_place in ((board.console.tx, 0x50C), (board.console.rx, 0x514)):
        number = int(re.findall(r"\d+$", pin)[0])
        if name in ALTERNATE:
            port = PORTS.get(name, 0x40020000) + 0x400 * (ord(pin[1]) - ord("A"))
            assert chip.bits(port, 2 * number, 2) == 2, "alternate function"
            assert chip.bits(port + 0x20 + number // 8 * 4, number % 8 * 4, 4) == ALTERNATE[name]
        elif isinstance(chip, chips.Nordic):
            assert chip.words[board.console.address + nordic_place] == int(pin[1]) * 32 + number
        elif isinstance(chip, chips.Rp2):
            bank = 0x40028000 if name == "rpi_pico2" else 0x40014000
            assert chip.words[bank + 8 * number + 4] == 2
        elif name == "frdm_k64f":
            assert pin.startswith("PTB") and chip.bits(0x4004A000 + 4 * number, 8, 3) == 3
        elif pin == board.console.tx:
            assert chip.bits(0x40010804, (number - 8) * 4, 4) == 0xB, "an alternate output of 50 MHz"


@pytest.mark.qemu
def test_a_console_without_its_clock_is_noticed(tmp_path: Path) -> None:
    board = load_board("nucleo_f446re")

    class Deaf(chips.Stm32F446):
        gates = chips.Stm32F446.gates | {0x40004400: (0x40023840, 18)}

    with pytest.raises(AssertionError):
        start(board, build(board, tmp_path), Deaf(uarts.OldUsart(board.console.address)))
