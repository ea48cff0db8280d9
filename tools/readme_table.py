"""Measure the published models on every board and put the table into README.md (`make table`).

    python tools/readme_table.py [--optimize MODE]

All of it is deterministic but for the compiler, whose version is named.
"""

from __future__ import annotations

import sys
from typing import Any

from measure import MODELS, ROOT, boards, profile, versions, write_between

BEGIN, END = "<!-- measured by tools/readme_table.py -->", "<!-- end -->"
SHOWN = [model for model in MODELS if model != "person"]
Results = dict[str, dict[str, dict[str, Any] | None]]


def measure(optimize: str) -> Results:
    """board → model → profile."""
    return {
        board: {model: profile(model, board, "--optimize", optimize) for model in SHOWN} for board in boards()
    }


def table(results: Results, cores: dict[str, str], optimize: str) -> str:
    lines = [f"Instructions of one inference, `--optimize {optimize}`:", ""]
    lines += ["| board (core) | " + " | ".join(SHOWN) + " |", "|---|" + "---:|" * len(SHOWN)]
    for board, profiles in results.items():
        cells = [f"{p['instructions']:,}" if p is not None else "does not fit" for p in profiles.values()]
        lines.append(f"| {board} ({cores[board]}) | " + " | ".join(cells) + " |")
    lines += ["", "Memory on mps2_an386 (Cortex-M4), in bytes:", ""]
    lines += ["| | " + " | ".join(SHOWN) + " |", "|---|" + "---:|" * len(SHOWN)]
    for title, part, key in (
        ("arena (inputs, outputs, scratch)", "memory", "arena_bytes"),
        ("other static RAM", "memory", "static_bytes"),
        ("stack, measured", "memory", "stack_bytes"),
        ("stack, at most (from the code)", "certificate", "stack_bound_bytes"),
        ("code", "flash", "code_bytes"),
        ("constants (weights, tables)", "flash", "const_bytes"),
    ):
        profiles = results["mps2_an386"].values()
        lines.append(f"| {title} | " + " | ".join(f"{p[part][key]:,}" if p else "" for p in profiles) + " |")
    return "\n".join([*lines, "", f"{versions()}."])


def main() -> None:
    optimize = sys.argv[2] if sys.argv[1:2] == ["--optimize"] else "balanced"
    write_between(ROOT / "README.md", BEGIN, END, table(measure(optimize), boards(), optimize))


if __name__ == "__main__":
    main()
