"""The published models beside TFLM + CMSIS-NN: docs/BENCHMARKS.md (`make bench`).

    python tools/bench.py [--optimize MODE ...] [--board BOARD ...]

Deterministic for one compiler and one QEMU, which the page names. Baselines: docs/baselines.toml.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from measure import MODELS, ROOT, boards, profile, versions

from mcu_quant.deployment import OPTIMIZE_MODES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = ROOT / "docs" / "BENCHMARKS.md"
#: One board for each core; the microbit holds few of these models.
LEFT_OUT = ("microbit",)
COLUMNS = ("model", "instructions", "TFLM + CMSIS-NN", "ratio", "arena", "stack", "code", "constants")

HEAD = """# Benchmarks

Instructions of one inference (exact, on QEMU; they are not cycles) and bytes, made by `make bench`. The ratio
is to TensorFlow Lite Micro with CMSIS-NN, the best of its builds on that core (docs/baselines.toml).
vww leaves out the channels that are constant for every input; vww (kept) has them
(`--keep-constant-channels`).
"""


def row(model: str, title: str, board: str, baseline: int, options: list[str]) -> str:
    facts = profile(model, board, *options)
    if facts is None:
        return f"| {title} | does not fit |" + " |" * (len(COLUMNS) - 2)
    cells = [f"{facts['instructions']:,}", f"{baseline:,}", f"{facts['instructions'] / baseline:.3f}"]
    memory, flash = facts["memory"], facts["flash"]
    sizes = (memory["arena_bytes"], memory["stack_bytes"], flash["code_bytes"], flash["const_bytes"])
    return " | ".join(["| " + title, *cells, *(f"{size:,}" for size in sizes)]) + " |"


def section(board: str, core: str, optimize: str, baselines: dict[str, Any]) -> list[str]:
    lines = ["", f"## {core} ({board}), `--optimize {optimize}`", "", "| " + " | ".join(COLUMNS) + " |"]
    lines.append("|---|" + "---:|" * (len(COLUMNS) - 1))
    options = ["--optimize", optimize]
    for model in MODELS:
        lines.append(row(model, model, board, baselines[model], options))
        if model == "vww":
            kept = [*options, "--keep-constant-channels"]
            lines.append(row(model, "vww (kept)", board, baselines[model], kept))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--optimize", nargs="+", default=OPTIMIZE_MODES, choices=OPTIMIZE_MODES)
    cores = {board: core for board, core in boards().items() if board not in LEFT_OUT}
    parser.add_argument("--board", nargs="+", default=list(cores), choices=list(cores))
    chosen = parser.parse_args()
    baselines = tomllib.loads((ROOT / "docs" / "baselines.toml").read_text("utf-8"))["instructions"]
    lines = [HEAD, f"{versions()}."]
    for board in chosen.board:
        for optimize in chosen.optimize:
            lines += section(board, cores[board], optimize, baselines[cores[board]])
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
