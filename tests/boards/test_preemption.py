"""docs/INTEGRATION.md says that one inference may interrupt another. Here one does, on QEMU."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcu_quant.boards import Board, load_board, qemu_boards
from mcu_quant.codegen.project import render_sources
from mcu_quant.verify.image import link_images
from mcu_quant.verify.qemu import emulate
from tests.boards.models import deploy, tiny_model

SOURCE = Path(__file__).with_name("preempted.c")
RUNS = 200


def preempt(board: Board, folder: Path, *macros: str) -> tuple[int, int]:
    """How often the interrupt found the other model running, and how many outputs were wrong."""
    models = [tiny_model("first", inputs=100, hidden=30), tiny_model("second", inputs=20, hidden=8, seed=2)]
    deployments = [deploy(model, board) for model in models]
    defines = "".join(f"#define {macro}\n" for macro in (f"RUNS {RUNS}", *macros))
    program = defines + SOURCE.read_text(encoding="utf-8") + "\n"
    files = render_sources(board, deployments, ()) | {"main.c": program}
    (image,) = link_images(board, deployments[0], files, ["main"], folder)
    # Virtual time by instructions: the interrupts come at the same places on every machine.
    printed = emulate(board, image, folder, timeout=60, arguments=("-icount", "shift=10,align=off,sleep=off"))
    match = re.search(r"preemptions (\d+) of \d+ wrong (\d+)\n", printed)
    assert match, printed
    return int(match[1]), int(match[2])


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", qemu_boards())
def test_a_model_in_an_interrupt_preempts_another(board_name: str, tmp_path: Path) -> None:
    preemptions, wrong = preempt(load_board(board_name), tmp_path)
    assert preemptions >= RUNS
    assert wrong == 0


@pytest.mark.qemu
def test_sharing_an_arena_with_an_interrupt_is_noticed(tmp_path: Path) -> None:
    _, wrong = preempt(load_board("mps2_an386"), tmp_path, "SHARE_THE_ARENA")
    assert wrong > 0
