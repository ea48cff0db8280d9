"""Measure the published models on every board and put the table into README.md (`make table`).

    python tools/readme_table.py [--optimize MODE]

Runs `mcu-quant profile --json` on ../shared/models (input 0 of ../shared/golden), and writes between the
markers of README.md. All of it is deterministic but for the compiler, whose version is named.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
README = ROOT / "README.md"
BEGIN, END = "<!-- measured by tools/readme_table.py -->", "<!-- end -->"

MODELS = {
    "ad01": "ad01_int8",
    "resnet": "pretrainedResnet_quant",
    "kws": "kws_ref_model",
    "vww": "vww_96_int8",
    "str_ww": "str_ww_ref_model",
}


def mcu_quant(*arguments: str) -> dict[str, Any] | None:
    """The JSON of a verb; None if the model does not fit (exit 3)."""
    command = [sys.executable, "-m", "mcu_quant", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        return None
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def measure(optimize: str) -> dict[str, dict[str, dict[str, Any] | None]]:
    """board → model → profile."""
    listed = mcu_quant("boards")
    assert listed is not None
    results: dict[str, dict[str, dict[str, Any] | None]] = {}
    for board in listed["boards"]:
        results[board["name"]] = {}
        for short, name in MODELS.items():
            print(f"{board['name']} {short}", file=sys.stderr)
            model, inputs = SHARED / "models" / f"{name}.tflite", SHARED / "golden" / f"{name}.npz"
            arguments = ("--board", board["name"], "--inputs", str(inputs), "--optimize", optimize)
            results[board["name"]][short] = mcu_quant("profile", str(model), *arguments)
    return results


def table(results: dict[str, dict[str, dict[str, Any] | None]], optimize: str) -> str:
    lines = [f"Instructions of one inference, `--optimize {optimize}`:", ""]
    lines += ["| board (core) | " + " | ".join(MODELS) + " |", "|---|" + "---:|" * len(MODELS)]
    for board, profiles in results.items():
        core = next(p["core"] for p in profiles.values() if p is not None)
        cells = [f"{p['instructions']:,}" if p is not None else "does not fit" for p in profiles.values()]
        lines.append(f"| {board} ({core}) | " + " | ".join(cells) + " |")
    lines += ["", "Memory on mps2_an386 (Cortex-M4), in bytes:", ""]
    lines += ["| | " + " | ".join(MODELS) + " |", "|---|" + "---:|" * len(MODELS)]
    for title, part, key in (
        ("arena (inputs, outputs, scratch)", "memory", "arena_bytes"),
        ("other static RAM", "memory", "static_bytes"),
        ("stack", "memory", "stack_bytes"),
        ("code", "flash", "code_bytes"),
        ("constants (weights, tables)", "flash", "const_bytes"),
    ):
        profiles = results["mps2_an386"].values()
        lines.append(f"| {title} | " + " | ".join(f"{p[part][key]:,}" if p else "" for p in profiles) + " |")
    return "\n".join(lines)


def compiler() -> str:
    shown = subprocess.run(
        ["arm-none-eabi-gcc", "--version"], capture_output=True, text=True, check=True
    ).stdout
    return shown.splitlines()[0]


def main() -> None:
    optimize = sys.argv[2] if sys.argv[1:2] == ["--optimize"] else "balanced"
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    body = table(measure(optimize), optimize)
    README.write_text(f"{before}{BEGIN}\n{body}\n\nCompiled by {compiler()}.\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
