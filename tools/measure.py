"""What the measuring tools share: the published models of ../shared, and `mcu-quant --json`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"

MODELS = {
    "ad01": "ad01_int8",
    "resnet": "pretrainedResnet_quant",
    "kws": "kws_ref_model",
    "vww": "vww_96_int8",
    "str_ww": "str_ww_ref_model",
    "person": "person_detect",
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


#: Counts as mps2_an386 and mps2_an385 do.
SAME_CORES = ("netduinoplus2", "stm32vldiscovery")


def boards() -> dict[str, str]:
    """Board → core, of those that run on QEMU; of the same cores in other memories, one."""
    listed = mcu_quant("boards")
    assert listed is not None
    found = {board["name"]: board["core"] for board in listed["boards"] if board["qemu"] is not None}
    return {name: core for name, core in found.items() if name not in SAME_CORES}


def profile(model: str, board: str, *options: str) -> dict[str, Any] | None:
    """`profile` of a key of MODELS, with input 0 of its golden file."""
    print(board, model, *options, file=sys.stderr)
    file, inputs = SHARED / "models" / f"{MODELS[model]}.tflite", SHARED / "golden" / f"{MODELS[model]}.npz"
    return mcu_quant("profile", str(file), "--board", board, "--inputs", str(inputs), *options)


def versions() -> str:
    """Of the compiler and the emulator."""
    lines = []
    for program in ("arm-none-eabi-gcc", "qemu-system-arm"):
        shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        lines.append(shown.splitlines()[0])
    return "; ".join(lines)


def write_between(path: Path, begin: str, end: str, body: str) -> None:
    """Replace what stands between two markers."""
    before, rest = path.read_text(encoding="utf-8").split(begin)
    path.write_text(f"{before}{begin}\n{body}\n{end}{rest.split(end)[1]}", encoding="utf-8")
