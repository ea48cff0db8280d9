"""Modelled cycles of Thumb-2 in text, before anything is assembled: what kernels' `cycles` are made of.

The rules are those of verify/cycles.py for Cortex-M3 and M4, which measures; cores that have no rules of
their own here (M7, M33) are taken for an M4. Loops are numeric labels that a later line branches back to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mcu_quant.kernels.base import Core

_REGISTER = re.compile(r"\b(?:r1?[0-9]|lr|pc)\b")
_BACK = re.compile(r"b\w* (\d)b")
#: Of Cortex-M3; those of Cortex-M4 take one.
_MULTIPLICATIONS = {"mla": 2, "mls": 2, "smull": 4, "umull": 4, "smlal": 5, "umlal": 5}
_TAKEN = 3


def loop_cycles(body: str | Sequence[str], times: Mapping[int, float], core: Core) -> float:
    """All cycles of assembly whose loops run so often.

    body: lines, or a text of them. times: label of a loop -> how often all of its turns together are made; a
    line counts with the innermost loop that it is in, those in none once, and loops that are not named never.
    Where the label of a branch back is not among the lines, it is taken.
    """
    lines = instructions(body)
    loops, around = _loops(lines)
    costs = _costs(lines, slow_multiplications=core.name == "cortex-m3")

    def turns(loop: int | None) -> float:
        return 1 if loop is None else times.get(loop, 0)

    total = sum(cost * turns(loop) for loop, cost in zip(loops, costs, strict=True))
    # The last turn of a loop falls through the branch back.
    return total - (_TAKEN - 1) * sum(min(turns(inner), turns(outer)) for inner, outer in around)


def straight_cycles(lines: Sequence[str], *, slow_multiplications: bool = False) -> int:
    """Of lines that run one after the other, branches back taken."""
    return sum(_costs(instructions(lines), slow_multiplications=slow_multiplications))


def instructions(body: str | Sequence[str]) -> list[str]:
    """Labels and instructions, without comments and what is blank."""
    lines = (
        body.split("\n") if isinstance(body, str) else [part for line in body for part in line.split("\n")]
    )
    stripped = (line.split("/*")[0].strip() for line in lines)
    return [line for line in stripped if line]


def _loops(lines: Sequence[str]) -> tuple[list[int | None], list[tuple[int, int | None]]]:
    """(the innermost loop of each line; each loop that a condition ends, with the one around it)."""
    loops: list[int | None] = [None] * len(lines)
    spans: dict[int, tuple[int, int]] = {}
    for end, line in enumerate(lines):
        if back := _BACK.fullmatch(line):
            label = int(back[1])
            if (start := max((i for i in range(end) if lines[i] == f"{label}:"), default=-1)) >= 0:
                spans[start] = (end, label)
    around = []
    # Inner loops begin later than those around them.
    for start, (end, label) in sorted(spans.items()):
        if not lines[end].startswith("b "):
            around.append((label, loops[start]))
        loops[start : end + 1] = [label] * (end + 1 - start)
    return loops, around


def _costs(lines: Sequence[str], *, slow_multiplications: bool) -> list[int]:
    costs, loaded = [], ""
    for line in lines:
        name = line.split(" ", 1)[0]
        costs.append(0 if name.endswith(":") else _cost(line, name, loaded, slow_multiplications))
        is_load = name.startswith("ldr") and name != "ldrd"
        loaded = _REGISTER.findall(line)[0] if is_load else ""
    return costs


def _cost(line: str, name: str, loaded: str, slow_multiplications: bool) -> int:
    """loaded: the register that the instruction before has loaded, if it has."""
    if name in ("ldrd", "strd"):
        return 3
    if name.startswith("ldr"):
        return 1 if loaded and loaded not in _REGISTER.findall(line)[1:] else 2
    if name.startswith(("ldm", "stm", "push", "pop")):
        words = _words(line.split("{")[-1])
        return 1 + words + 2 * ("pc" in line)
    if name in ("b", "bx") or _BACK.fullmatch(line):
        return _TAKEN
    return _MULTIPLICATIONS.get(name, 1) if slow_multiplications else 1


def _words(registers: str) -> int:
    """Of a list such as `r4-r11, lr}`."""
    count = 0
    for part in registers.rstrip("}").split(","):
        first, _, last = part.strip().partition("-")
        count += int(last[1:]) - int(first[1:]) + 1 if last else 1
    return count
