"""The order of instructions for a Cortex-M55: neighbours that go to different units overlap.

A vector instruction takes two cycles right after one of its own unit (memory, multiply, other), else one:
see cost.py. Among the instructions whose operands are ready, the next is one of another unit than the
last, if there is any. Nothing else changes: the instructions and their number are the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from mcu_quant.kernels.mve import cost

_REGISTER = re.compile(r"\b(?:([rqd])(\d+)|(lr|sp))\b")
#: Without a type. What they read is all but the first operand, which they write.
_WRITES = (
    *("mov", "movw", "add", "addw", "sub", "subw", "vmov", "vdup", "vmax", "vmin"),
    *("vadd", "vqadd", "vsub", "vmul", "vmullb", "vmullt", "vqrdmulh", "vmladav"),
    *("vshr", "vrshr", "vshl", "vshllb", "vshllt"),
)
#: They read the first operand, too.
_UPDATES = (
    *("movt", "vmladava", "vqrdmlah", "vrshl", "vqmovnb", "vqmovnt", "vqmovunb", "vqmovunt"),
    *("vqrshrnb", "vqrshrnt", "vqrshrunb", "vqrshrunt"),
)
_LOADS = ("ldr", "ldrd", "vldr", "vldrb", "vldrw")
_STORES = ("str", "strd", "vstrb", "vstrw")


@dataclass(frozen=True)
class _Access:
    """What an instruction needs and changes: registers, and memory as the names of its parts."""

    reads: frozenset[str]
    writes: frozenset[str]


def scheduled(lines: Sequence[str], unstored: Iterable[str] = ()) -> list[str]:
    """The same instructions in an order that takes fewer cycles, or as few.

    Labels, branches, comments and instructions that this module does not know stay where they are, and
    nothing moves over them. Loads and stores keep their order but for loads among each other, and for
    those relative to sp, which only such stores can touch. unstored: registers that only ever point at
    memory that no store of these lines can touch; they are base addresses.
    """
    return list(_scheduled(tuple(lines), frozenset(unstored)))


@cache
def _scheduled(lines: tuple[str, ...], unstored: frozenset[str]) -> tuple[str, ...]:
    result: list[str] = []
    block: list[tuple[str, _Access]] = []
    for line in lines:
        access = _access(line, unstored)
        if access is not None:
            block.append((line, access))
            continue
        result += [*_reordered(block, result), line]
        block = []
    result += _reordered(block, result)
    return tuple(result) if cost.cycles(result) < cost.cycles(lines) else lines


def _reordered(block: list[tuple[str, _Access]], before: list[str]) -> list[str]:
    """Instructions in a row, which `before` runs right before."""
    units = [cost.unit(line) for line, _ in block]
    waits_for = _dependences([access for _, access in block])
    waiting: list[set[int]] = [set(earlier) for earlier in waits_for]
    ready = [i for i, earlier in enumerate(waiting) if not earlier]
    followers: list[list[int]] = [[] for _ in block]
    for i, earlier in enumerate(waits_for):
        for j in earlier:
            followers[j].append(i)
    heights = [1] * len(block)
    for i in reversed(range(len(block))):
        heights[i] += max((heights[j] for j in followers[i]), default=0)
    order: list[int] = []
    last, last_made = cost.unit(before[-1]) if before else None, -1
    while ready:
        # One of another unit, that does not need what was just made, that most others wait for in a row.
        ranks = [
            (units[i] == last and last is not None, last_made in waits_for[i], -heights[i], i) for i in ready
        ]
        chosen = min(ranks)[-1]
        ready.remove(chosen)
        order.append(chosen)
        last, last_made = units[chosen], chosen
        for i in followers[chosen]:
            waiting[i].discard(chosen)
            if not waiting[i]:
                ready.append(i)
    return [block[i][0] for i in order]


def _dependences(accesses: list[_Access]) -> list[set[int]]:
    """For each instruction those that must run before it."""
    writer: dict[str, int] = {}
    readers: dict[str, set[int]] = {}
    result = []
    for i, access in enumerate(accesses):
        result.append({writer[name] for name in access.reads | access.writes if name in writer})
        for name in access.writes:
            result[i] |= readers.pop(name, set())
        for name in access.reads - access.writes:
            readers.setdefault(name, set()).add(i)
        writer.update(dict.fromkeys(access.writes, i))
    return result


def _access(line: str, unstored: frozenset[str]) -> _Access | None:
    """None where nothing may move over it."""
    name, _, operands = line.partition(" ")
    name = name.partition(".")[0]
    if name in _LOADS or name in _STORES:
        return _memory(name in _STORES, operands, unstored)
    if name == "ldm" and "!" in operands and "-" not in operands:
        base, _, registers = operands.partition("!, ")
        reads = {base} | ({"memory"} if base not in unstored else set())
        return _Access(frozenset(reads), frozenset({base, *_registers(registers)}))
    first, _, rest = operands.partition(",")
    if name == "vshlc":
        both = frozenset(_registers(operands))
        return _Access(both, both)
    if name in ("adds", "subs"):
        return _Access(frozenset(_registers(rest)), frozenset({*_registers(first), "flags"}))
    to_core = name == "vmov" and not first.startswith("q")
    if to_core or (name not in _WRITES and name not in _UPDATES):
        return None
    is_part = name in _UPDATES or "[" in first
    return _Access(frozenset(_registers(operands if is_part else rest)), frozenset(_registers(first)))


def _memory(stores: bool, operands: str, unstored: frozenset[str]) -> _Access:
    data, _, address = operands.partition("[")
    base = _registers(address)[0]
    part = "stack" if base == "sp" else "memory"
    reads, writes = set(_registers(address)), set[str]()
    if address.endswith("!") or "]," in address:
        writes.add(base)
    if stores:
        reads |= set(_registers(data))
        writes.add(part)
    else:
        writes |= set(_registers(data))
        # A load of half a vector leaves the other half.
        reads |= set(_registers(data)) if data.startswith("d") else set()
        reads |= {part} if base not in unstored else set()
    return _Access(frozenset(reads), frozenset(writes))


def _registers(text: str) -> list[str]:
    """As named in text; d registers as the vectors that they are halves of."""
    found = []
    for letter, number, name in _REGISTER.findall(text):
        found.append(f"q{int(number) // 2}" if letter == "d" else name or letter + number)
    return found
