"""Draw docs/arena_vww.svg, the picture in README.md, from the published model in ../shared (`make docs`).

    python tools/arena_picture.py

Without ../shared the picture stays as it is.
"""

from __future__ import annotations

import sys

from measure import MODELS, ROOT, SHARED

from mcu_quant import pipeline
from mcu_quant.boards import load_board
from mcu_quant.codegen.arena_map import render_arena_map
from mcu_quant.deployment import GenerateOptions

FILE = ROOT / "docs" / "arena_vww.svg"
BOARD = "mps2_an386"


def main() -> None:
    source = SHARED / "models" / f"{MODELS['vww']}.tflite"
    if not source.is_file():
        print(f"{source} is not there: {FILE.name} stays as it is", file=sys.stderr)
        return
    model, board = pipeline.load(source), load_board(BOARD)
    assert isinstance(model, pipeline.TfliteModel)
    deployment = pipeline.deploy(model, pipeline.core_named(board.core), GenerateOptions(), board=board)
    FILE.write_text(render_arena_map(deployment), encoding="utf-8")


if __name__ == "__main__":
    main()
