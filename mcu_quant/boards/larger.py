"""Which board would do where this one is too small."""

from __future__ import annotations

from mcu_quant.boards.facts import Board
from mcu_quant.kernels.base import CORES


def larger_board(board: Board, boards: list[Board], flash_bytes: int, ram_bytes: int) -> Board | None:
    """The smallest of the boards that has so much flash, and so much RAM beside its stack; None if none has.

    Boards that one can buy come first, then those whose core is like this one's.
    """
    cores = list(CORES)

    def cost(other: Board) -> tuple[bool, int, int, str]:
        distance = abs(cores.index(other.core) - cores.index(board.core))
        return not other.flash_tools, distance, other.flash_bytes + other.ram_bytes, other.name

    enough = [
        other
        for other in boards
        if other.name != board.name
        and other.flash_bytes >= flash_bytes
        and other.ram_bytes - other.stack_bytes >= ram_bytes
    ]
    return min(enough, key=cost, default=None)
