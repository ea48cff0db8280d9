"""Board files: the ones we have, and the ones we refuse."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mcu_quant.boards import list_boards, load_board, read_board
from mcu_quant.errors import InvalidInputError, InvalidModelError
from mcu_quant.kernels.base import CORES

EXPECTED_CORES = {
    "microbit": "cortex-m0",
    "mps2_an385": "cortex-m3",
    "mps2_an385_m0plus": "cortex-m0plus",
    "mps2_an386": "cortex-m4",
    "mps2_an500": "cortex-m7",
    "mps2_an505": "cortex-m33",
    "mps3_an547": "cortex-m55",
}


def test_boards_cover_every_core() -> None:
    assert {name: load_board(name).core for name in list_boards()} == EXPECTED_CORES
    assert set(EXPECTED_CORES.values()) == set(CORES) - {"generic"}


@pytest.mark.parametrize("name", list_boards())
def test_readme_has_the_addresses_of_the_board_file(name: str) -> None:
    board = load_board(name)
    readme = (board.files / "README.md").read_text(encoding="utf-8")
    addresses = [board.flash.address, board.ram.address, board.timer.address]
    addresses += [section.region.address for section in board.sections]
    for address in addresses:
        assert f"0x{address:08X}" in readme.upper().replace("0X", "0x")
    assert board.qemu in readme
    assert all(f"`{section.name}`" in readme for section in board.sections[1:])


def test_json_has_what_design_promises() -> None:
    facts = load_board("microbit").as_json()
    assert facts["name"] == "microbit" and facts["core"] == "cortex-m0" and facts["qemu"] == "microbit"
    assert facts["flash_bytes"] == 256 * 1024 and facts["ram_bytes"] == 16 * 1024


def test_an_unknown_board_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(InvalidInputError, match=r"no such board.*mps3.*mps2_an386"):
        load_board("mps3")


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


def test_a_board_of_ones_own_needs_only_its_directory(tmp_path: Path) -> None:
    files = tmp_path / "my_board"
    shutil.copytree(load_board("mps2_an386").files, files)
    assert read_board(files).name == "my_board"


def test_a_board_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="readable TOML"):
        read_board(tmp_path)


def test_a_name_that_c_and_paths_would_not_like(tmp_path: Path) -> None:
    files = tmp_path / "My-Board"
    shutil.copytree(load_board("mps2_an386").files, files)
    with pytest.raises(InvalidModelError, match="lower-case"):
        read_board(files)
