"""docs/INTEGRATION.md says that one inference may interrupt another. Here one does, on QEMU."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcu_quant.boards import list_boards, load_board
from mcu_quant.codegen.project import render_sources
from mcu_quant.verify.image import link_images
from mcu_quant.verify.qemu import emulate
from tests.boards.models import deploy, tiny_model

SOURCE = Path(__file__).with_name("preempted.c")
RUNS = 200
#: Ticks of SysTick from one interrupt to the next, at 5 to 60 ticks an instruction.
PERIOD = 60_000


@pytest.mark.qemu
@pytest.mark.parametrize("board_name", list_boards())
def test_a_model_in_an_interrupt_preempts_another(board_name: str, tmp_path: Path) -> None:
    board = load_board(board_name)
    models = [tiny_model("first", inputs=60, hidden=30), tiny_model("second", inputs=20, hidden=8, seed=2)]
    deployments = [deploy(model, board) for model in models]
    program = f"#define RUNS {RUNS}\n#define PERIOD {PERIOD}u\n" + SOURCE.read_text(encoding="utf-8")
    files = render_sources(board, deployments, ()) | {"main.c": program}
    (image,) = link_images(board, deployments[0], files, ["main"], tmp_path)
    # Virtual time by instructions: the interrupts come at the same places on every machine.
    icount = ("-icount", "shift=10,align=off,sleep=off")
    printed = emulate(board, image, tmp_path, timeout=60, arguments=icount)
    match = re.search(r"preemptions (\d+) of (\d+) wrong 0\n", printed)
    assert match, printed
    assert int(match[1]) >= RUNS, printed
