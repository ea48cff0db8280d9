"""The C of docs/INTEGRATION.md compiles, runs, and does what the text says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mcu_quant.boards import load_board
from mcu_quant.codegen.project import WARNINGS, render_sources
from mcu_quant.ops.interpreter import run_graph
from mcu_quant.samples import default_inputs
from mcu_quant.sections import Placement, SplitArena
from mcu_quant.verify.image import link_images
from mcu_quant.verify.qemu import emulate
from tests.boards.models import deploy, tiny_model
from tests.conftest import ROOT

GUIDE = ROOT / "docs" / "INTEGRATION.md"
BEFORE = """
#include "port.h"
%s
static uint32_t time_now;
static uint32_t now(void) { return time_now++; }
static void watchdog_feed(void) {}
int8_t first_output(const int8_t *samples);
void enable_fpu_and_mve(void);
int invoke_in_time(uint32_t limit);
uint32_t cycles_of_a_run(void);
"""
#: The model has two layers, so the hook is called three times and the clock above says 1, 2, 3.
AFTER = """
int main(void) {
    static const int8_t samples[] = {%s};
    enable_fpu_and_mve();
    port_print_int(first_output(samples));
    port_print(invoke_in_time(100u) ? " in time" : " late");
    port_print(invoke_in_time(2u) ? " in time" : " late");
    (void)cycles_of_a_run();
    return 0;
}
"""


def blocks_of_the_guide(*, split: bool) -> list[str]:
    """Its C, either all for one arena or all for a split one."""
    blocks = re.findall(r"^```c\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if ("arenas_t" in block) == split]


@pytest.mark.qemu
def test_the_c_for_a_split_arena_runs(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    placement = Placement(arena=SplitArena(16, "ram", "ram"))
    deployment = deploy(tiny_model("kws"), board, placement=placement)
    (block,) = blocks_of_the_guide(split=True)
    main = '#include "kws.h"\n#include "port.h"\nvoid infer(void);\n' + block
    main += 'int main(void) {\n    infer();\n    port_print("done");\n    return 0;\n}\n'
    files = render_sources(board, [deployment], ()) | {"main.c": main}
    (image,) = link_images(board, deployment, files, ["main"], tmp_path)
    assert emulate(board, image, tmp_path, timeout=20) == "done"


@pytest.mark.qemu
def test_the_c_of_the_guide_runs(tmp_path: Path) -> None:
    board = load_board("mps2_an386")
    model = tiny_model("kws")
    deployment = deploy(model, board)
    blocks = blocks_of_the_guide(split=False)
    assert len(blocks) >= 4
    inputs = default_inputs(model.graph, 1)
    expected = run_graph(model.graph, inputs)[0].reshape(-1)[0]
    strict = "".join(f'#pragma GCC diagnostic error "{flag}"\n' for flag in WARNINGS if flag != "-Wpedantic")
    after = AFTER % ", ".join(str(value) for value in inputs[0].reshape(-1))
    files = render_sources(board, [deployment], ()) | {"main.c": BEFORE % strict + "\n".join(blocks) + after}
    (image,) = link_images(board, deployment, files, ["main"], tmp_path)
    assert emulate(board, image, tmp_path, timeout=20) == f"{expected} in time late"
