"""What is to be written, and where the tool finds the board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mcu_quant.boards import Board


@dataclass(frozen=True)
class Job:
    """image: the file of the kind that the tool wants. script: the file of commands, if the tool reads one.

    server: of GDB, HOST:PORT. port: of the board's boot loader (bossac). probe: the serial number of one of
    several probes.
    """

    board: Board
    image: Path
    script: Path
    server: str = ""
    port: str | None = None
    probe: str | None = None
