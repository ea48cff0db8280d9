"""Boards: what boards/<name>/board.toml says, checked. Adding a board touches only its directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mcu_quant.boards.board_file import check_board_name, read_board
from mcu_quant.boards.facts import (
    FLASH_TOOLS,
    RAM_SECTION,
    Board,
    Console,
    FlashTool,
    MemoryRegion,
    Placed,
    Section,
    Timer,
)
from mcu_quant.boards.larger import larger_board
from mcu_quant.errors import InvalidInputError
from mcu_quant.resources import directory

__all__ = [
    "FLASH_TOOLS",
    "RAM_SECTION",
    "Board",
    "Console",
    "FlashTool",
    "MemoryRegion",
    "Placed",
    "Section",
    "Timer",
    "board_that_fits",
    "check_board_name",
    "is_board",
    "list_boards",
    "load_board",
    "qemu_boards",
    "read_board",
    "require_qemu",
]

#: Directories of boards of one's own, as PATH has its directories.
BOARDS_VARIABLE = "MCU_QUANT_BOARDS"


def list_boards() -> list[str]:
    """The names of all boards, sorted: ours, and those of the directories in MCU_QUANT_BOARDS."""
    return sorted({path.name for path in _directories()})


def qemu_boards() -> list[str]:
    """The names of those that a QEMU machine models."""
    return [name for name in list_boards() if load_board(name).qemu is not None]


def board_that_fits(board: Board, flash_bytes: int, ram_bytes: int) -> str:
    """What to try where the board is too small: one by name, and its memory. ram_bytes: beside the stack."""
    other = larger_board(board, [load_board(name) for name in list_boards()], flash_bytes, ram_bytes)
    if other is None:
        return "a board with more memory (none of these has enough)"
    return (
        f"a larger board, such as {other.name} ({other.core}), which has {other.flash_bytes // 1024} kB of "
        f"flash and {other.ram_bytes // 1024} kB of RAM"
    )


def is_board(name: str) -> bool:
    """Whether load_board would look for it: one that is listed, or a path."""
    return _is_path(name) or name in list_boards()


def _is_path(name: str) -> bool:
    return any(separator in name for separator in (os.sep, os.altsep) if separator)


def require_qemu(board: Board) -> str:
    """The machine that models it. Raises InvalidInputError if none does."""
    if board.qemu is None:
        raise InvalidInputError(
            "a board that no QEMU machine models runs at a serial port",
            value=board.name,
            hint=f"--port /dev/ttyACM0, or a board that QEMU has: {', '.join(qemu_boards())}",
        )
    return board.qemu


def load_board(name: str) -> Board:
    """name: of a board, or the path of its directory, with a separator in it.

    Raises InvalidInputError for an unknown one, InvalidModelError for a file that breaks a rule.
    """
    if _is_path(name):
        return _board_at(Path(name))
    for path in _directories():
        if path.name == name:
            return read_board(path)
    raise InvalidInputError(
        "there is no such board",
        value=name,
        hint=f"one of {', '.join(list_boards())}, or a path such as ./{name or 'my_board'}",
    )


def _board_at(path: Path) -> Board:
    if not (path / "board.toml").is_file():
        raise InvalidInputError(
            "a board's directory must have a board.toml",
            value=str(path),
            hint=f"mcu-quant boards --new {path.name} starts one",
        )
    return read_board(path)


def _directories() -> Iterator[Path]:
    """Of every board; the user's come first, and so may take the place of ours."""
    named = os.environ.get(BOARDS_VARIABLE, "").split(os.pathsep)
    for place in [*(Path(text) for text in named if text), directory("boards")]:
        yield from sorted(path.parent for path in place.glob("*/board.toml"))
