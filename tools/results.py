"""Measurements as docs/benchmarks.json keeps them: measured, stored, compared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from measure import MODELS, ROOT, profile, versions

FILE = ROOT / "docs" / "benchmarks.json"
#: What must not grow, and by which share it may.
GUARDED = ("instructions", "arena_bytes", "code_bytes", "const_bytes")
MAX_GROWTH = 0.01

#: instructions, modelled_cycles, arena_bytes, stack_bytes, code_bytes, const_bytes; layers, each
#: [operator, kernel, MACs, instructions, modelled cycles]. None: the model does not fit the board.
Result = dict[str, Any] | None


@dataclass(frozen=True)
class Case:
    """One profile. kept: with --keep-constant-channels."""

    board: str
    optimize: str
    model: str
    kept: bool = False

    def __str__(self) -> str:
        return f"{self.board} {self.optimize} {self.title}"

    @property
    def title(self) -> str:
        return f"{self.model} (kept)" if self.kept else self.model

    def measure(self) -> Result:
        options = ["--optimize", self.optimize, *(["--keep-constant-channels"] if self.kept else [])]
        facts = profile(self.model, self.board, *options)
        if facts is None:
            return None
        keys = ("op", "kernel", "macs", "instructions", "modelled_cycles")
        memory, flash = facts["memory"], facts["flash"]
        return {
            "instructions": facts["instructions"],
            "modelled_cycles": facts["modelled_cycles"],
            "arena_bytes": memory["arena_bytes"],
            "stack_bytes": memory["stack_bytes"],
            "code_bytes": flash["code_bytes"],
            "const_bytes": flash["const_bytes"],
            "layers": [[layer[key] for key in keys] for layer in facts["layers"]],
        }


def cases(board: str, optimize: str) -> list[Case]:
    """Every model; vww also with its constant channels."""
    listed = []
    for model in MODELS:
        listed.append(Case(board, optimize, model))
        if model == "vww":
            listed.append(Case(board, optimize, model, kept=True))
    return listed


def load() -> dict[str, Result] | None:
    """str(Case) → result; None if nothing is stored, or other tools measured it: then nothing compares."""
    if not FILE.is_file():
        return None
    stored = json.loads(FILE.read_text(encoding="utf-8"))
    results: dict[str, Result] = stored["results"]
    return results if stored["tools"] == versions() else None


def save(results: dict[str, Result]) -> None:
    """One line for each layer, in fixed order, so that a change is a readable difference."""
    lines = [f'{{"schema": 1, "tools": {json.dumps(versions())}, "results": {{']
    ordered = sorted(results.items())
    for position, (name, result) in enumerate(ordered):
        end = "," if position + 1 < len(ordered) else ""
        if result is None:
            lines.append(f"{json.dumps(name)}: null{end}")
            continue
        head = json.dumps({key: value for key, value in result.items() if key != "layers"})
        layers = ",\n".join(f"  {json.dumps(layer)}" for layer in result["layers"])
        lines.append(f'{json.dumps(name)}: {head[:-1]}, "layers": [\n{layers}]}}{end}')
    FILE.write_text("\n".join(lines) + "\n}}\n", encoding="utf-8")


def growth(stored: Result, measured: Result) -> list[str]:
    """What is worse than stored, by more than MAX_GROWTH, in words."""
    if stored is None:
        return []
    if measured is None:
        return ["does not fit any more"]
    return [
        f"{key} grew by {measured[key] / stored[key] - 1:.1%} (from {stored[key]:,} to {measured[key]:,})"
        for key in GUARDED
        if measured[key] > (1 + MAX_GROWTH) * stored[key]
    ]
