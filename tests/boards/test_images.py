"""What is flashed: kws_ref_model on every board, by an independent look at the linked image.

pyelftools reads the image; the checks know of the boards what their chips' documents say, not what the linker
script made of it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from mcu_quant.boards import list_boards, load_board
from mcu_quant.errors import DoesNotFitError
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.verify.compare import compare
from mcu_quant.verify.fit import Room, read_rooms
from mcu_quant.verify.image import build_images
from mcu_quant.verify.qemu import QemuEngine
from tests.boards.models import deploy, published
from tests.conftest import require_tools

#: Flash and RAM, (first byte, bytes), as the chips' datasheets have them; where an image may have something.
DOCUMENTED = {
    "arduino_nano33ble": [(0x10000, 0xF0000), (0x20000000, 0x40000)],
    "frdm_k64f": [(0, 0x100000), (0x1FFF0000, 0x10000), (0x20000000, 0x30000)],
    "microbit": [(0, 0x40000), (0x20000000, 0x4000)],
    "mps2_an385": [(0, 0x400000), (0x20000000, 0x400000)],
    "mps2_an385_m0plus": [(0, 0x400000), (0x20000000, 0x400000)],
    "mps2_an386": [(0, 0x400000), (0x20000000, 0x400000)],
    "mps2_an500": [(0, 0x400000), (0x20000000, 0x400000)],
    "mps2_an505": [(0x10000000, 0x400000), (0x38000000, 0x200000)],
    "mps3_an547": [(0, 0x80000), (0x30000000, 0x80000)],
    "netduinoplus2": [(0x08000000, 0x100000), (0x20000000, 0x20000)],
    "nrf52840_dk": [(0, 0x100000), (0x20000000, 0x40000)],
    "nucleo_f446re": [(0x08000000, 0x80000), (0x20000000, 0x20000)],
    "nucleo_g0b1re": [(0x08000000, 0x80000), (0x20000000, 0x24000)],
    "nucleo_h743zi": [(0x08000000, 0x200000), (0x24000000, 0x80000)],
    "nucleo_l4r5zi": [(0x08000000, 0x200000), (0x20000000, 0xA0000)],
    "nucleo_u575zi_q": [(0x08000000, 0x200000), (0x20000000, 0xC0000)],
    "rpi_pico": [(0x10000000, 0x200000), (0x20000000, 0x42000)],
    "rpi_pico2": [(0x10000000, 0x400000), (0x20000000, 0x82000)],
    "stm32f746g_disco": [(0x08000000, 0x100000), (0x20000000, 0x50000)],
    "stm32vldiscovery": [(0x08000000, 0x20000), (0x20000000, 0x2000)],
}
#: Where the boot ROM goes on, of those that do not begin with the vector table.
VECTORS = {"rpi_pico": 0x10000100}
TOO_SMALL = ["stm32vldiscovery"]
FITTING = [name for name in list_boards() if name not in TOO_SMALL]


@dataclass(frozen=True)
class LinkedImage:
    """data: what is flashed, by address. entry: the ELF file's."""

    sections: list[tuple[str, int, int]]
    symbols: list[Any]
    entry: int
    data: dict[int, bytes]
    rooms: tuple[Room, ...]

    def read(self, address: int, count: int) -> bytes:
        for start, data in self.data.items():
            if start <= address and address + count <= start + len(data):
                return data[address - start :][:count]
        raise AssertionError(f"nothing is flashed to {address:#x}")


@pytest.fixture(scope="session")
def image(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LinkedImage]:
    """main.c of kws_ref_model for a board, built once."""
    require_tools("arm-none-eabi-gcc")
    built: dict[str, LinkedImage] = {}

    def build(name: str) -> LinkedImage:
        if name not in built:
            board, folder = load_board(name), tmp_path_factory.mktemp(name)
            deployment = deploy(published(shared, "kws_ref_model"), board, optimize="size")
            (path,) = build_images(board, deployment, ["main"], folder)
            built[name] = read_image(path, read_rooms(path, board))
        return built[name]

    return build


def read_image(path: Path, rooms: tuple[Room, ...]) -> LinkedImage:
    with path.open("rb") as stream:
        elf = ELFFile(stream)
        table: Any = elf.get_section_by_name(".symtab")
        allocated = [s for s in elf.iter_sections() if s["sh_flags"] & 2 and s["sh_size"]]
        loaded = [s for s in elf.iter_segments() if s["p_type"] == "PT_LOAD" and s["p_filesz"]]
        return LinkedImage(
            [(s.name, s["sh_addr"], s["sh_size"]) for s in allocated],
            list(table.iter_symbols()),
            elf["e_entry"],
            {s["p_paddr"]: s.data() for s in loaded},
            rooms,
        )


def memories_of(name: str) -> list[tuple[int, int]]:
    """Flash first. Of a board that is not documented here, what its board.toml says."""
    board = load_board(name)
    own = [(region.address, region.bytes) for region in (board.flash, board.ram)]
    return DOCUMENTED.get(name, own)


def inside(address: int, count: int, memories: list[tuple[int, int]]) -> bool:
    return any(first <= address and address + count <= first + size for first, size in memories)


def test_there_are_twenty_boards() -> None:
    assert set(DOCUMENTED) <= set(list_boards()) and len(DOCUMENTED) >= 20


@pytest.mark.qemu
@pytest.mark.parametrize("name", FITTING)
def test_the_core_finds_stack_and_reset(name: str, image: Callable[[str], LinkedImage]) -> None:
    linked = image(name)
    flash, *memories = memories_of(name)
    words = struct.unpack("<16I", linked.read(VECTORS.get(name, flash[0]), 64))
    assert words[0] % 8 == 0 and inside(words[0] - 8, 8, memories), "initial stack pointer"
    for number, handler in enumerate(words[1:], start=1):
        if handler:
            assert handler % 2 == 1, f"vector {number} has the thumb bit"
            assert inside(handler - 1, 2, [flash]), f"vector {number} is in flash"
    assert words[1] and words[1] == linked.entry
    (reset,) = [s for s in linked.symbols if s.name == "Reset_Handler"]
    assert words[1] == reset["st_value"]
    assert all(words[number] for number in (2, 3, 11, 14, 15))


@pytest.mark.qemu
@pytest.mark.parametrize("name", FITTING)
def test_sections_are_inside_the_chips_memories(name: str, image: Callable[[str], LinkedImage]) -> None:
    linked = image(name)
    for section, address, size in linked.sections:
        assert inside(address, size, memories_of(name)), section
    for address, data in linked.data.items():
        assert inside(address, len(data), memories_of(name)[:1]), "what is flashed is in flash"


@pytest.mark.qemu
@pytest.mark.parametrize("name", FITTING)
def test_no_handler_is_left_undefined(name: str, image: Callable[[str], LinkedImage]) -> None:
    undefined = [s.name for s in image(name).symbols if s["st_shndx"] == "SHN_UNDEF" and s.name]
    assert undefined == []
    weak = [s.name for s in image(name).symbols if s["st_info"]["bind"] == "STB_WEAK" and s["st_value"] == 0]
    assert weak == []


@pytest.mark.qemu
@pytest.mark.parametrize("name", FITTING)
def test_the_table_of_what_takes_the_room_adds_up(name: str, image: Callable[[str], LinkedImage]) -> None:
    linked, board = image(name), load_board(name)
    flash, ram = linked.rooms[:2]
    assert (flash.memory, ram.memory) == ("flash", "ram") and not flash.excess_bytes and not ram.excess_bytes
    ends = [address + len(data) for address, data in linked.data.items()]
    first, size = memories_of(name)[0]
    assert flash.needed_bytes == max(ends) - first and flash.bytes == size
    assert ram.part("stack") == board.stack_bytes
    assert ram.part("arena") > 8000 and flash.part("model: weights and tables") > 25_000
    top = max(address + size for _, address, size in linked.sections if inside(address, size, [_ram(name)]))
    assert ram.needed_bytes == top - _ram(name)[0]


def _ram(name: str) -> tuple[int, int]:
    return load_board(name).ram.address, load_board(name).ram.bytes


@pytest.mark.parametrize("name", TOO_SMALL)
def test_where_it_does_not_fit_one_is_told_by_how_much(name: str, shared: Path) -> None:
    board = load_board(name)
    deployment = deploy(published(shared, "kws_ref_model"), board, optimize="size")
    with pytest.raises(DoesNotFitError, match=r"8192 bytes of RAM \(seen: \d+ bytes too many") as caught:
        build_images(board, deployment, ["main"], Path())
    (room,) = caught.value.memory
    needed = deployment.plan.arena_bytes + board.stack_bytes
    assert caught.value.exit_code == 3 and room["needed_bytes"] == needed > room["bytes"] == 8192
    assert f"{needed - 8192} bytes too many" in str(caught.value)
    assert "such as nucleo_f446re" in str(caught.value)


@pytest.mark.qemu
@pytest.mark.parametrize("name", ["microbit", "netduinoplus2"])
def test_kws_on_the_qemu_machines_of_real_boards(name: str, shared: Path) -> None:
    """The other machines run all published models in test_golden_boards.py."""
    board, model = load_board(name), published(shared, "kws_ref_model")
    inputs = default_inputs(model.graph, 3)
    outputs = QemuEngine(deploy(model, board), board).run(inputs)
    assert compare(name, run_graph(model.graph, inputs), outputs).identical


def crc_32_mpeg_2(data: bytes) -> int:
    """Bit by bit: polynomial 0x04C11DB7, from all ones, nothing reversed or inverted."""
    remainder = 0xFFFFFFFF
    for byte in data:
        for position in range(7, -1, -1):
            feedback = (remainder >> 31) ^ (byte >> position & 1)
            remainder = (remainder << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if feedback else 0)
    return remainder


@pytest.mark.qemu
def test_the_boot_rom_of_rp2040_accepts_boot2(image: Callable[[str], LinkedImage]) -> None:
    assert crc_32_mpeg_2(b"123456789") == 0x0376E6E7, "the catalogued check value of CRC-32/MPEG-2"
    stage = image("rpi_pico").read(0x10000000, 256)
    assert crc_32_mpeg_2(stage[:252]) == int.from_bytes(stage[252:], "little")
    assert stage[:252].strip(b"\0") and crc_32_mpeg_2(stage[:252]) != 0


@pytest.mark.qemu
def test_the_boot_rom_of_rp2350_finds_an_arm_image(image: Callable[[str], LinkedImage]) -> None:
    """Walks a block as the datasheet's section 5.9 has it, from its marker to its end."""
    start = image("rpi_pico2").read(0x10000000, 4096)
    words = struct.unpack("<1024I", start)
    position = words.index(0xFFFFDED3) + 1
    items = []
    while words[position] & 0xFF != 0xFF:
        items.append(words[position])
        position += words[position] >> 8 & 0xFF
    assert words[position] >> 8 & 0xFFFF == sum(item >> 8 & 0xFF for item in items), "size in the last item"
    assert words[position + 1] == 0, "a loop of one block"
    assert words[position + 2] == 0xAB123579
    (image_type,) = [item >> 16 for item in items if item & 0xFF == 0x42]
    assert image_type & 0xF == 1, "executable"
    assert image_type >> 4 & 3 == 2, "in the secure state"
    assert image_type >> 8 & 7 == 0 and image_type >> 12 & 7 == 1, "for Arm, on RP2350"


@pytest.mark.qemu
def test_the_k64_stays_unsecured(image: Callable[[str], LinkedImage]) -> None:
    """FSEC's two low bits are 10 when the chip is not secured; FPROT's are ones where flash may be erased."""
    linked = image("frdm_k64f")
    field = linked.read(0x400, 16)
    assert field[12] & 3 == 2 and field[8:12] == b"\xff" * 4
    assert not any(
        address < 0x410 and address + size > 0x400
        for name, address, size in linked.sections
        if name != ".flash_configuration"
    )
