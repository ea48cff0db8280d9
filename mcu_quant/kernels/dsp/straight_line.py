"""Registers for straight-line code whose operands are mostly words that can be loaded again.

Weights, inputs and constants lie in memory; accumulators do not. A word that is needed is loaded
into a free register, or into the one whose word is needed again the latest (Belady's rule, the
fewest loads there can be). Loads then move up behind other loads, where they take one cycle.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

_REGISTER = re.compile(r"\b(?:r1?[0-9]|lr)\b")
_NEVER = 1 << 30


@dataclass(frozen=True)
class Instruction:
    """text: with {0}, {1}, ... for the sources' registers and {d} for the result's.

    result: a new value, a source that is replaced, or None (a store).
    """

    text: str
    sources: tuple[Hashable, ...]
    result: Hashable | None = None


def allocate(
    code: Sequence[Instruction],
    address: Callable[[Hashable], str],
    registers: Sequence[str],
    resident: Mapping[Hashable, str],
) -> list[str]:
    """Lines of assembly. address: where a word that no instruction made is loaded from.

    resident: words that the caller has loaded, and that keep their registers throughout.
    """
    state = _Registers(code, address, [r for r in registers if r not in resident.values()], resident)
    for position, instruction in enumerate(code):
        state.step(position, instruction)
    return group_loads(state.lines)


class _Registers:
    def __init__(
        self,
        code: Sequence[Instruction],
        address: Callable[[Hashable], str],
        free: list[str],
        resident: Mapping[Hashable, str],
    ) -> None:
        self.lines: list[str] = []
        self._address = address
        self._free = free
        self._resident = resident
        self._held: dict[Hashable, str] = {}
        self._made = {i.result for i in code if i.result is not None}
        self._uses: dict[Hashable, list[int]] = {}
        for position in reversed(range(len(code))):
            for value in code[position].sources:
                self._uses.setdefault(value, []).append(position)

    def step(self, position: int, instruction: Instruction) -> None:
        busy = set(instruction.sources)
        sources = [self._register(value, busy) for value in instruction.sources]
        for value in dict.fromkeys(instruction.sources):  # in a fixed order: the same code in every process
            self._use(value, position)
            if self._next_use(value) == _NEVER and value != instruction.result and value in self._held:
                self._free.append(self._held.pop(value))
        result = instruction.result
        if result is not None and result not in self._held:
            self._held[result] = self._take(set())
        into = "" if result is None else self._held[result]
        self.lines += instruction.text.format(*sources, d=into).split("\n")

    def _register(self, value: Hashable, busy: set[Hashable]) -> str:
        if value in self._resident:
            return self._resident[value]
        if value not in self._held:
            assert value not in self._made, f"{value} is used before it is made"
            self._held[value] = self._take(busy)
            self.lines.append(f"ldr {self._held[value]}, {self._address(value)}")
        return self._held[value]

    def _take(self, busy: set[Hashable]) -> str:
        if self._free:
            return self._free.pop(0)
        loadable = [value for value in self._held if value not in self._made and value not in busy]
        latest = max(loadable, key=self._next_use)
        return self._held.pop(latest)

    def _use(self, value: Hashable, position: int) -> None:
        uses = self._uses[value]
        while uses and uses[-1] <= position:
            uses.pop()

    def _next_use(self, value: Hashable) -> int:
        uses = self._uses.get(value)
        return uses[-1] if uses else _NEVER


def group_loads(lines: Sequence[str]) -> list[str]:
    """Loads moved up to directly behind an earlier load, where nothing between needs the register."""
    done: list[str] = []
    for line in lines:
        done.insert(_place(done, line) if line.startswith("ldr ") else len(done), line)
    return done


def _place(done: Sequence[str], load: str) -> int:
    target, *base = _REGISTER.findall(load)
    for index in range(len(done) - 1, -1, -1):
        words = _REGISTER.findall(done[index])
        if done[index].startswith("ldr ") and target not in words:
            return index + 1
        if target in words or (words and words[0] in base and not done[index].startswith("str")):
            break
    return len(done)


def add_immediate(register: str, value: int, spare: str) -> list[str]:
    """register += value, through the spare register if no instruction holds the value."""
    if value == 0:
        return []
    if abs(value) < 4096:
        return [f"{'addw' if value > 0 else 'subw'} {register}, {register}, #{abs(value)}"]
    return [*move_immediate(spare, value), f"add {register}, {register}, {spare}"]


def move_immediate(register: str, value: int) -> list[str]:
    value &= 0xFFFFFFFF
    high = [f"movt {register}, #{value >> 16}"] if value >> 16 else []
    return [f"movw {register}, #{value & 0xFFFF}", *high]
