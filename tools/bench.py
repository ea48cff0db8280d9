"""The published models beside TFLM + CMSIS-NN (`make bench`): docs/benchmarks.json and docs/BENCHMARKS.md.

    python tools/bench.py [--optimize MODE ...] [--board BOARD ...] [--check]

Boards and modes that are not asked for keep what was stored, if the same tools measured it. Deterministic for
one compiler and one QEMU, which both files name. Baselines: docs/baselines.toml.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from measure import ROOT, boards, versions
from results import Case, Result, cases, growth, load, save

from mcu_quant.deployment import OPTIMIZE_MODES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGE = ROOT / "docs" / "BENCHMARKS.md"
BASELINES = ROOT / "docs" / "baselines.toml"
#: One board for each core; the microbit holds few of these models.
LEFT_OUT = ("microbit",)
COLUMNS = (
    "model",
    "instructions",
    "TFLM + CMSIS-NN",
    "ratio",
    "cycles",
    "arena",
    "stack",
    "code",
    "constants",
)
LAYER_COLUMNS = (
    "layer",
    "kernel",
    "MACs",
    "instructions",
    "TFLM + CMSIS-NN",
    "ratio",
    "cycles",
    "cycles/MAC",
)
#: The mode whose layers the page shows, on cores whose baselines have layers.
LAYERS_OF = "time"

HEAD = """# Benchmarks

Instructions of one inference (exact, on QEMU), cycles (a model of the core with memory that never waits, see
docs/DESIGN.md; not silicon) and bytes, made by `make bench`. The ratio is of instructions, to TensorFlow Lite
Micro with CMSIS-NN, the best of its builds on that core (docs/baselines.toml). vww leaves out channels that
are constant for every input; vww (kept) has them (`--keep-constant-channels`). docs/benchmarks.json has these
figures and those of every layer; `make bench CHECK=1` compares with it.
"""


def table(columns: tuple[str, ...], rows: list[list[str]], left: int) -> list[str]:
    """Markdown. left: how many columns are words."""
    rule = "|" + "---|" * left + "---:|" * (len(columns) - left)
    return [
        "",
        *(f"| {' | '.join(row)} |" for row in [list(columns)]),
        rule,
        *(f"| {' | '.join(r)} |" for r in rows),
    ]


def number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def model_row(case: Case, result: Result, baseline: int) -> list[str]:
    if result is None:
        return [case.title, "does not fit", *[""] * (len(COLUMNS) - 2)]
    sizes = [result[key] for key in ("arena_bytes", "stack_bytes", "code_bytes", "const_bytes")]
    compared = [number(baseline), f"{result['instructions'] / baseline:.3f}"]
    figures = [number(value) for value in (result["modelled_cycles"], *sizes)]
    return [case.title, number(result["instructions"]), *compared, *figures]


def layer_rows(layers: list[list[Any]], baseline: list[list[Any]]) -> list[list[str]]:
    """baseline: [operator, instructions] of every layer of the file."""
    theirs = _paired([layer[0] for layer in layers], baseline)
    rows = []
    for index, (op, kernel, macs, instructions, cycles) in enumerate(layers):
        compared = ["", ""]
        if (other := theirs[index]) is not None:
            compared = [number(other), f"{instructions / other:.3f}"]
        per_mac = f"{cycles / macs:.3f}" if macs and cycles is not None else ""
        rows.append(
            [f"{index} {op}", kernel, number(macs), number(instructions), *compared, number(cycles), per_mac]
        )
    return rows


def _paired(ops: list[str], baseline: list[list[Any]]) -> list[int | None]:
    """Their instructions for each of our layers, if they have the same operators but for reshapes."""
    counts = [count for op, count in baseline if op != "reshape"]
    if [op for op in ops if op != "reshape"] != [op for op, _ in baseline if op != "reshape"]:
        return [None] * len(ops)
    return [None if op == "reshape" else counts.pop(0) for op in ops]


def section(
    board: str, core: str, optimize: str, results: dict[str, Result], baselines: dict[str, Any]
) -> list[str]:
    listed = [case for case in cases(board, optimize) if str(case) in results]
    if not listed:
        return []
    lines = ["", f"## {core} ({board}), `--optimize {optimize}`"]
    whole = baselines["instructions"][core]
    rows = [model_row(case, results[str(case)], whole[case.model]) for case in listed]
    lines += table(COLUMNS, rows, 1)
    by_layer = baselines["layers"].get(core)
    if optimize != LAYERS_OF or by_layer is None:
        return lines
    for case in listed:
        if (result := results[str(case)]) is not None:
            lines += ["", f"### {case.title} by layer, {core}"]
            lines += table(LAYER_COLUMNS, layer_rows(result["layers"], by_layer[case.model]), 2)
    return lines


def page(results: dict[str, Result], cores: dict[str, str]) -> str:
    baselines = tomllib.loads(BASELINES.read_text("utf-8"))
    lines = [HEAD, f"{versions()}."]
    for board, core in cores.items():
        for optimize in OPTIMIZE_MODES:
            lines += section(board, core, optimize, results, baselines)
    return "\n".join(lines) + "\n"


def check(asked: list[Case]) -> int:
    """How many of the cases are worse than stored; they are printed."""
    stored = load()
    if stored is None:
        sys.exit("docs/benchmarks.json is not there, or of another compiler or QEMU: nothing compares")
    worse = 0
    for case in asked:
        if str(case) in stored and (words := growth(stored[str(case)], case.measure())):
            worse += 1
            print(f"{case}: {'; '.join(words)}")
    return worse


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--optimize", nargs="+", default=OPTIMIZE_MODES, choices=OPTIMIZE_MODES)
    cores = {board: core for board, core in boards().items() if board not in LEFT_OUT}
    parser.add_argument("--board", nargs="+", default=list(cores), choices=list(cores))
    parser.add_argument("--check", action="store_true", help="compare with what is stored, and store nothing")
    chosen = parser.parse_args()
    asked = [case for board in chosen.board for mode in chosen.optimize for case in cases(board, mode)]
    if chosen.check:
        sys.exit(1 if check(asked) else 0)
    results = load() or {}
    for case in asked:
        results[str(case)] = case.measure()
        save(results)
    PAGE.write_text(page(results, cores), encoding="utf-8")


if __name__ == "__main__":
    main()
