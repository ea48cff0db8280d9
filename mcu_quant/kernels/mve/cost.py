"""What assembly takes on a Cortex-M55, from its text, by the model of verify/cycles.py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

_MEMORY = re.compile(r"v(?:ld|st)(?:r[bhwd]|[24]\d)")
_MULTIPLY = re.compile(r"v(?:ml|rml|mul|rmul|qr?dm|fma|fms|cmul|cmla)")
_VECTOR_ADDRESS = re.compile(r"\[q\d|\[\w+,\s*q\d")
_VECTOR = re.compile(r"\bq\d")
_LANES = {"8": 16, "16": 8, "32": 4, "64": 2}
_REGISTER = re.compile(r"([rd])(\d+)-[rd](\d+)|\b(r\d+|sp|lr|pc|[ds]\d+)\b")
#: What a branch that is taken costs, its own cycle included.
_TAKEN = 3


def cycles(lines: Sequence[str]) -> int:
    """Of instructions in a row, branches being taken; labels and comments are free."""
    total, before = 0, None
    for line in lines:
        if line.startswith("/*") or line.endswith(":"):
            continue
        cost, unit = _cost(line)
        total += cost + (unit is not None and unit == before)
        before = unit
    return total


def unit(line: str) -> str | None:
    """Which unit an MVE instruction goes to ("memory", "multiply", "other"); None for others."""
    return None if line.startswith("/*") or line.endswith(":") else _cost(line)[1]


def loop_body(lines: Sequence[str], label: str) -> list[str]:
    """From a label to the first branch back to it, which is included."""
    start = lines.index(f"{label}:") + 1
    end = next(i for i in range(start, len(lines)) if lines[i].endswith(f" {label}b"))
    return list(lines[start : end + 1])


@cache
def _cost(line: str) -> tuple[int, str | None]:
    """(cycles, the unit of an MVE instruction, None for others)."""
    name, _, operands = line.partition(" ")
    if name in ("le", "letp"):
        return 0, None
    if name.startswith(("ldm", "stm", "push", "pop", "vpush", "vpop")):
        words = _words(operands.partition("{")[2])
        return (words + 1) // 2 + 1 + (_TAKEN - 1 if "pc" in operands else 0), None
    if name in ("ldrd", "strd") or (name in ("vldr", "vstr") and operands.startswith("d")):
        return 2, None
    if re.fullmatch(r"(?:b|bl|bx|blx)(?:eq|ne|c[sc]|mi|pl|hi|ls|ge|lt|gt|le)?|cbn?z", name):
        return _TAKEN, None
    if not _is_vector(name, operands):
        return 1, None
    if _MEMORY.match(name):
        gathers = _VECTOR_ADDRESS.search(operands)
        return (_LANES[re.sub(r"\D", "", name.partition(".")[2])] if gathers else 1), "memory"
    return 1, "multiply" if _MULTIPLY.match(name) else "other"


def _is_vector(name: str, operands: str) -> bool:
    """Moves of one lane, between a core register and a half of a vector, are scalar in the model."""
    if name.startswith("vp") and not name.startswith(("vpush", "vpop")):
        return True
    is_lane = name.startswith("vmov") and operands.count("[") == 1
    return _VECTOR.search(operands) is not None and not is_lane


def _words(registers: str) -> int:
    words = 0
    for letter, first, last, single in _REGISTER.findall(registers):
        count = int(last) - int(first) + 1 if letter else 1
        words += count * (2 if (letter or single[0]) == "d" else 1)
    return words
