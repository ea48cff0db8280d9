"""Board files: the ones we have, and the ones we refuse."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import mcu_quant as mq
from mcu_quant.boards import FLASH_TOOLS, MemoryRegion, list_boards, load_board, qemu_boards, read_board
from mcu_quant.codegen.project import render_project
from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.kernels.base import CORES
from mcu_quant.resources import directory
from mcu_quant.verify.image import build_images
from tests.boards.models import deploy, tiny_model
from tests.conftest import ROOT, Run

EXPECTED_CORES = {
    "arduino_nano33ble": "cortex-m4",
    "frdm_k64f": "cortex-m4",
    "microbit": "cortex-m0",
    "mps2_an385": "cortex-m3",
    "mps2_an385_m0plus": "cortex-m0plus",
    "mps2_an386": "cortex-m4",
    "mps2_an500": "cortex-m7",
    "mps2_an505": "cortex-m33",
    "mps3_an547": "cortex-m55",
    "netduinoplus2": "cortex-m4",
    "nrf52840_dk": "cortex-m4",
    "nucleo_f446re": "cortex-m4",
    "nucleo_g0b1re": "cortex-m0plus",
    "nucleo_h743zi": "cortex-m7",
    "nucleo_l4r5zi": "cortex-m4",
    "nucleo_u575zi_q": "cortex-m33",
    "rpi_pico": "cortex-m0plus",
    "rpi_pico2": "cortex-m33",
    "stm32f746g_disco": "cortex-m7",
    "stm32vldiscovery": "cortex-m3",
}


def test_boards_cover_every_core() -> None:
    assert {name: load_board(name).core for name in EXPECTED_CORES} == EXPECTED_CORES
    assert set(EXPECTED_CORES.values()) == set(CORES) - {"generic"}


@pytest.mark.parametrize("name", list_boards())
def test_readme_has_the_facts_of_the_board_file(name: str) -> None:
    board = load_board(name)
    readme = (board.files / "README.md").read_text(encoding="utf-8")
    addresses = [board.flash.address, board.ram.address, board.timer.address, board.qemu_timer.address]
    addresses += [board.vectors, board.console.address]
    addresses += [part.region.address for part in (*board.sections, *board.placed)]
    for address in addresses:
        assert f"0x{address:08X}" in readme.upper().replace("0X", "0x")
    assert board.qemu is None or board.qemu in readme
    assert all(f"`{part.name}`" in readme for part in (*board.sections[1:], *board.placed))
    assert f"{board.clock_hz / 1e6:g} MHz" in readme
    assert all(tool.tool in readme for tool in board.flash_tools) or board.qemu is not None


@pytest.mark.parametrize("name", [name for name in list_boards() if name not in qemu_boards()])
def test_counters_of_hardware_count_the_cores_clock(name: str) -> None:
    board = load_board(name)
    assert board.timer.hz == board.clock_hz and board.timer.bits == 32
    assert board.qemu_timer == board.timer


def test_every_board_for_sale_says_how_it_is_flashed() -> None:
    with_tools = {name for name in EXPECTED_CORES if load_board(name).flash_tools}
    assert with_tools == {name for name in EXPECTED_CORES if not name.startswith("mps")}


def test_json_has_what_design_promises() -> None:
    facts = load_board("microbit").as_json()
    assert facts["name"] == "microbit" and facts["core"] == "cortex-m0" and facts["qemu"] == "microbit"
    assert facts["chip"] == "nRF51822-QFAA" and facts["fpu"] is False and facts["dsp"] is False
    assert facts["flash_tools"] == ["pyocd", "openocd", "jlink"]
    assert facts["flash_bytes"] == 256 * 1024 and facts["ram_bytes"] == 16 * 1024


def test_an_unknown_board_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(InvalidInputError, match=r"no such board.*mps3.*mps2_an386"):
        load_board("mps3")


ALL_KEYS = (
    "description",
    "chip",
    "core",
    "fpu",
    "dsp",
    "clock_hz",
    "clock",
    "shared",
    "memory",
    "timer",
    "console",
)
ALL_KEYS += (
    "flash_tools",
    "qemu",
    "flash",
    "ram",
    "stack_bytes",
    "vectors",
    "memory.placed",
    "memory.sections",
)

BAD_FILES = {
    "not TOML": ("core =", "core ==", "readable TOML"),
    "no core": ("core =", "# core =", "core is missing"),
    "unknown core": ('"cortex-m4"', '"cortex-m9"', "known Cortex-M.*cortex-m9"),
    "generic is no chip": ('"cortex-m4"', '"generic"', "known Cortex-M"),
    "a key too many": ("clock_hz", "clock_mhz = 25\nclock_hz", "no such key.*clock_mhz"),
    "a number as text": (
        "clock_hz = 25_000_000\nclock =",
        'clock_hz = "fast"\nclock =',
        "clock_hz must be an integer",
    ),
    "a flag as number": (
        "clock_hz = 25_000_000\nclock =",
        "clock_hz = true\nclock =",
        "clock_hz must be an integer",
    ),
    "regions overlap": ("0x20000000", "0x00200000", "must not overlap"),
    "beyond 4 GiB": ("0x20000000", "0xFFFFFF00", "below 4 GiB"),
    "unaligned": ("0x20000000", "0x20000001", "aligned to 8"),
    "stack larger than RAM": ("stack_bytes = 4096", "stack_bytes = 0x400000", "smaller than ram"),
    "stack not a multiple of 8": ("stack_bytes = 4096", "stack_bytes = 4100", "multiple of 8"),
    "no such timer source": ("timer_cmsdk.c", "timer_none.c", "templates/firmware"),
    "a source elsewhere": ("timer_cmsdk.c", "../firmware/timer_cmsdk.c", "plain file name"),
    "a section over RAM": ("0x21000000", "0x20000000", "must not overlap"),
    "a section of a name that is taken": ("psram =", "flash =", "none of ram, flash.*flash"),
    "a section without copied": (", copied = false", "", "copied must be true or false"),
    "an FPU that code cannot do without": ("fpu = true", "fpu = false", "what fpu says.*cortex-m3"),
    "DSP that is not said": ("dsp = true", "", "dsp must be true or false"),
    "no console": ("[console]", "[consoles]", "console is missing"),
    "a console without a driver": ("uart_cmsdk.c", "uart_none.c", "console: source must be in"),
    "a flash tool that nobody knows": (
        "[console]",
        '[[flash_tools]]\ntool = "jtag"\n\n[console]',
        "known one.*jtag",
    ),
    "a flash tool without its target": (
        "[console]",
        '[[flash_tools]]\ntool = "pyocd"\n\n[console]',
        "target is missing",
    ),
    "a flash tool with a key too many": (
        "[console]",
        '[[flash_tools]]\ntool = "st-flash"\ntarget = "x"\n\n[console]',
        "no such key.*target",
    ),
    "tools that are no tables": ("description", 'flash_tools = "pyocd"\ndescription', "array of tables"),
    "vectors outside flash": ("stack_bytes", "vectors = 0x20000000\nstack_bytes", "vectors must be in flash"),
    "vectors at an odd place": ("stack_bytes", "vectors = 0x40\nstack_bytes", "multiple of 128"),
    "a placed section outside flash": (
        "stack_bytes",
        "placed.boot = { address = 0x20000000, bytes = 8 }\nstack_bytes",
        "boot must be in flash",
    ),
    "a placed section over the vectors": (
        "stack_bytes",
        "placed.boot = { address = 0x20, bytes = 64 }\nstack_bytes",
        "must not overlap",
    ),
    "a counter too wide": ("hz = 25_000_000\n", "hz = 25_000_000\nbits = 64\n", "at most 32 bits"),
    "a shared file that is not there": ("[qemu]", 'shared = ["none.h"]\n\n[qemu]', "shared must be in"),
    "a shared file that is no header": (
        "[qemu]",
        'shared = ["../x.c"]\n\n[qemu]',
        "plain file name that ends in .h",
    ),
    "text that is not printable": ("Cortex-M4 with", "Cortex-M4 */\\u0007 with", "printable"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_board_files_are_refused(case: str, tmp_path: Path) -> None:
    before, after, message = BAD_FILES[case]
    files = tmp_path / "mps2_an386"
    shutil.copytree(load_board("mps2_an386").files, files)
    text = (files / "board.toml").read_text(encoding="utf-8")
    assert before in text
    (files / "board.toml").write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(InvalidModelError, match=message):
        read_board(files)


@pytest.fixture
def my_board(tmp_path: Path) -> Path:
    return Path(shutil.copytree(load_board("mps2_an386").files, tmp_path / "my_board"))


def test_a_board_of_ones_own_needs_only_its_directory(my_board: Path) -> None:
    assert read_board(my_board).name == load_board(str(my_board)).name == "my_board"
    with pytest.raises(InvalidInputError, match=r"must have a board.toml.*--new nothing"):
        load_board(str(my_board / "nothing"))


def test_a_directory_of_boards_of_ones_own(my_board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its boards are listed beside ours, and take the place of one of the same name."""
    monkeypatch.setenv("MCU_QUANT_BOARDS", os.pathsep.join([str(my_board.parent), ""]))
    assert {*EXPECTED_CORES, "my_board"} <= set(list_boards())
    assert load_board("my_board").files == my_board
    my_board.rename(my_board.parent / "microbit")
    assert load_board("microbit").core == "cortex-m4" and "my_board" not in list_boards()
    assert list_boards().count("microbit") == 1


def test_a_project_on_a_board_of_ones_own(my_board: Path) -> None:
    """A file of the board takes the place of the common one; others come along."""
    (my_board / "board.c").write_text("/* mine */\n")
    (my_board / "sensor.h").write_text("/* a sensor */\n")
    board = read_board(my_board)
    files = render_project(board, [deploy(tiny_model(), board)])
    assert files["board/board.c"] == "/* mine */\n" and files["board/sensor.h"] == "/* a sensor */\n"
    assert files["board/board.toml"] == (my_board / "board.toml").read_text()
    for name, text in files.items():
        (my_board / name).parent.mkdir(exist_ok=True)
        (my_board / name).write_text(text)
    assert read_board(my_board / "board", "my_board") == board


def test_a_board_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="readable TOML"):
        read_board(tmp_path)


def test_a_name_that_c_and_paths_would_not_like(tmp_path: Path) -> None:
    files = tmp_path / "My-Board"
    shutil.copytree(load_board("mps2_an386").files, files)
    with pytest.raises(InvalidModelError, match="lower-case"):
        read_board(files)


def new_board(run: Run, where: Path, *more: str) -> subprocess.CompletedProcess[str]:
    size = ("--flash", "512K", "--ram", "0x20000")
    return run("boards", "--new", where, "--core", "cortex-m4", *size, *more)


@pytest.mark.qemu
def test_a_new_board_can_be_used_at_once(tmp_path: Path, mcu_quant: Run) -> None:
    files = tmp_path / "my_board"
    done = new_board(mcu_quant, files, "--flash-address", "0x08000000")
    assert done.returncode == 0 and "README.md" in done.stderr
    board = load_board(str(files))
    assert (board.name, board.core, board.fpu, board.qemu) == ("my_board", "cortex-m4", True, None)
    assert board.flash == MemoryRegion(0x08000000, 512 * 1024) and board.ram == MemoryRegion(
        0x20000000, 2**17
    )
    (image,) = build_images(board, deploy(tiny_model(), board), ["main"], tmp_path)
    assert image.is_file()
    again = new_board(mcu_quant, files)
    assert again.returncode == 2 and "must not exist" in again.stderr


def test_a_new_board_lists_what_is_to_be_filled_in(tmp_path: Path, mcu_quant: Run) -> None:
    files = tmp_path / "my_board"
    assert new_board(mcu_quant, files).returncode == 0
    assert to_fill_in(files) == {"board.toml", "board.c", "uart_my_board.c", "README.md"}
    readme = (files / "README.md").read_text()
    assert all(name in readme for name in ("board.toml", "board.c", "uart_my_board.c", "[memory.placed]"))


@pytest.mark.parametrize("name", list_boards())
def test_nothing_of_our_boards_is_left_to_fill_in(name: str) -> None:
    assert to_fill_in(load_board(name).files) == set()


def to_fill_in(files: Path) -> set[str]:
    return {path.name for path in files.iterdir() if "FILL IN" in path.read_text(encoding="utf-8")}


NEW = ("--new", "x", "--core", "cortex-m4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--new", "x"), "needs --core, --flash and --ram"),
        (("--ram", "8K"), "are for --new"),
        (("--new", "x", "--core", "cortex-m4", "--flash", "much", "--ram", "8K"), "is no size"),
        (("--new", "x", "--core", "cortex-m4", "--flash", "1M", "--ram", "8"), "4096 bytes at least"),
        ((*NEW, "--flash", "100001", "--ram", "8K"), "aligned to 8 bytes"),
        ((*NEW, "--flash", "1M", "--ram", "8K", "--ram-address", "0xFFFFFFF8"), "below 4 GiB"),
        ((*NEW, "--flash", "1M", "--ram", "8K", "--flash-address", "0x08000010"), "a multiple of 128"),
        (
            (*NEW, "--flash", "1M", "--ram", "8K", "--ram-address", "0x1000"),
            "not overlap (seen: flash 1048576 bytes at 0x0, RAM 8192 bytes at 0x1000)",
        ),
        (("--new", "x", "--core", "cortex-m9", "--flash", "1M", "--ram", "8K"), "known Cortex-M"),
        (("--new", "My-Board", "--core", "cortex-m4", "--flash", "1M", "--ram", "8K"), "lower-case"),
    ],
)
def test_a_new_board_that_cannot_be(options: tuple[str, ...], message: str, mcu_quant: Run) -> None:
    done = mcu_quant("boards", *options)
    assert done.returncode == 2 and message in done.stderr
    assert not Path(options[1]).exists()


def test_the_page_on_porting_has_every_key_tool_and_driver() -> None:
    page = (ROOT / "docs" / "PORTING_A_BOARD.md").read_text(encoding="utf-8")
    firmware = directory("templates") / "firmware"
    drivers = {path.name for kind in ("uart_*.c", "timer_*.c") for path in firmware.glob(kind)}
    keys = {key for tool in FLASH_TOOLS.values() for key in tool} | set(ALL_KEYS)
    for name in (*drivers, *FLASH_TOOLS, *keys):
        forms = (f"`{name}`", f"`[{name}]`", f"`[[{name}]]`", f"`{name} = ")
        assert any(form in page for form in forms), name


@pytest.mark.qemu
def test_a_board_of_ones_own_runs_on_qemu_by_its_path(my_board: Path, mcu_quant: Run, shared: Path) -> None:
    model = shared / "models" / "hello_world_int8.tflite"
    done = mcu_quant("verify", model, "--on", my_board)
    assert done.returncode == 0, done.stderr
    wrong = mcu_quant("verify", model, "--on", my_board / "nothing")
    assert wrong.returncode == 2 and "must have a board.toml" in wrong.stderr


@pytest.mark.qemu
def test_a_board_that_qemu_has_not_is_asked_for_at_its_port(
    mcu_quant: Run, shared: Path, tmp_path: Path
) -> None:
    model = shared / "models" / "hello_world_int8.tflite"
    for command in (("verify", model, "--on"), ("profile", model, "--board")):
        done = mcu_quant(*command, "nucleo_f446re")
        assert done.returncode == 2 and "Try: --port" in done.stderr and "mps2_an386" in done.stderr
    firmware = mq.generate(model, board="nucleo_f446re", output_dir=tmp_path / "out")
    assert [result.engine for result in firmware.verify()] == ["host"]
