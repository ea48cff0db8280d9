"""The most stack that a call can take, from the linked image: no run, and no input that is worse.

Each function's instructions are followed along every branch, with the depth of the stack; calls are
followed into the functions that they call, those of the C library too. Calls through pointers can only
reach the assembly that the deployment hands to its kernels (codegen.pointers). The
compiler's own figures (-fstack-usage) are a second opinion: the larger counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcu_quant.codegen.pointers import PointerCalls
from mcu_quant.errors import EngineFailedError
from mcu_quant.verify.control_flow import (
    Flow,
    Function,
    Program,
    UnknownStackError,
    falls_through,
    flow,
    source_lines,
    stack_change,
    target,
)
from mcu_quant.verify.disassembly import Instruction

#: More is taken for a loop that pushes.
_MOST_BYTES = 2**16
#: How far before its use the size of a large frame is loaded.
_NEAR_INSTRUCTIONS = 16


@dataclass(frozen=True)
class Call:
    """address: of the instruction. depth: bytes on the stack then. target: None if it is in a register."""

    address: int
    depth: int
    target: int | None


@dataclass(frozen=True)
class Frame:
    """bytes: the deepest that a function itself gets."""

    bytes: int
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class StackBound:
    """path: (function, bytes that it has on the stack), the first to the deepest; they add up to bytes."""

    bytes: int
    path: tuple[tuple[str, int], ...]


def read_usage(files: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """Function → bytes of stack, from the compiler's .su files; several for the clones of one.

    Raises EngineFailedError for a function whose stack has no bound.
    """
    usage: dict[str, tuple[int, ...]] = {}
    for file in files:
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            where, size, kind = line.split("\t")
            name = where.rsplit(":", 1)[1]
            if kind == "dynamic":
                raise _unbounded(name, "a frame of variable size")
            usage[name] = (*usage.get(name, ()), int(size))
    return usage


def frame_of(program: Program, function: Function, entry: int) -> Frame:
    """Follow every way through a function, from an entry. Raises UnknownStackError."""
    walk = _Walk(program, function)
    walk.follow(entry, 0)
    # What lies behind a table of addresses is entered with the stack as it was at the table.
    while walk.table_depth is not None and (rest := walk.unseen()) is not None:
        walk.follow(rest, walk.table_depth)
    return Frame(walk.deepest, tuple(Call(*call) for call in sorted(walk.calls, key=repr)))


class _Walk:
    def __init__(self, program: Program, function: Function) -> None:
        self._program, self._function = program, function
        inside = range(function.address, function.end, 2)
        self._inside = [program.code[address] for address in inside if address in program.code]
        self._depths: dict[int, int] = {}
        self.calls: set[tuple[int, int, int | None]] = set()
        self.deepest = 0
        self.table_depth: int | None = None

    def unseen(self) -> int | None:
        """The lowest instruction that no way has come to yet; those that fill gaps are none."""
        rest = (i.address for i in self._inside if i.address not in self._depths and i.mnemonic != "nop")
        return next(rest, None)

    def follow(self, address: int, depth: int) -> None:
        waiting = [(address, depth)]
        while waiting:
            address, depth = waiting.pop()
            if not self._function.address <= address < self._function.end:
                self.calls.add((address, depth, address))
            # What is no instruction is data, which leads nowhere.
            elif address in self._program.code and depth > self._depths.get(address, -1):
                self._depths[address] = depth
                waiting += self._step(self._program.code[address], depth)

    def _step(self, instruction: Instruction, depth: int) -> list[tuple[int, int]]:
        """Where an instruction may lead to, and with which depth."""
        constants = self._constants(instruction) if instruction.operands.startswith("sp") else {}
        after = depth + stack_change(instruction, constants)
        if not 0 <= after <= _MOST_BYTES:
            raise UnknownStackError(f"{instruction.mnemonic} {instruction.operands} at depth {depth}")
        self.deepest = max(self.deepest, after)
        kind, to, ways = flow(instruction), target(instruction), []
        if kind is Flow.CALL and to is not None and self._function.address < to < self._function.end:
            return [(to, after)]  # on Armv6-M, a jump that goes too far for a branch
        if kind is Flow.TABLE:
            self.table_depth = max(after, self.table_depth or 0)
        elif kind is Flow.JUMP:
            assert to is not None, instruction
            ways.append((to, after))
        elif kind in (Flow.CALL, Flow.CALL_REGISTER, Flow.JUMP_REGISTER):
            self.calls.add((instruction.address, after, to))
        if falls_through(instruction):
            # A return that may not happen leaves the stack as it was.
            ways.append((instruction.address + instruction.size, depth if kind is Flow.RETURN else after))
        return ways

    def _constants(self, instruction: Instruction) -> dict[str, int]:
        """Registers that were written last by a load of a constant, just before."""
        written: dict[str, int | None] = {}
        before = [i for i in self._inside if i.address < instruction.address]
        for earlier in reversed(before[-_NEAR_INSTRUCTIONS:]):
            register, value = self._program.constant(earlier) or (earlier.operands.partition(",")[0], None)
            written.setdefault(register, value)
        return {register: value for register, value in written.items() if value is not None}


class StackAnalysis:
    """Of one image. usage: as read_usage gives it. objects: what the library was linked of. hook: a function
    whose calls through pointers are not counted, for they go to the caller's own function."""

    def __init__(
        self,
        program: Program,
        usage: Mapping[str, tuple[int, ...]],
        pointers: PointerCalls,
        objects: Sequence[Path],
        hook: str | None = None,
    ) -> None:
        self._program, self._usage, self._pointers, self._hook = program, usage, pointers, hook
        self._objects = objects
        self._lines: dict[Function, dict[int, tuple[str, int]]] = {}
        self._frames: dict[int, Frame] = {}

    def bound(self, name: str) -> StackBound:
        """Of a call of the function with that symbol. Raises EngineFailedError where there is no bound."""
        function = self._program.named(name)
        if function is None:
            raise EngineFailedError("the image must have the function", layer=name)
        path = self._deepest(function.address, self._pointers.all, ())
        return StackBound(sum(size for _, size in path), tuple(path))

    def reached(self) -> list[Function]:
        """The functions that bounds so far went through, by address."""
        return sorted({self._program.function_at(entry) for entry in self._frames}, key=lambda f: f.address)

    def frame(self, entry: int) -> Frame:
        """Of the function at an address, by its instructions and by the compiler: the larger."""
        if entry not in self._frames:
            function = self._program.function_at(entry)
            by_compiler = self._usage.get(_name_in_usage(function.name), ())
            try:
                frame = frame_of(self._program, function, entry)
            except UnknownStackError as error:
                raise _unbounded(function.name, str(error)) from error
            if frame.bytes not in by_compiler:
                frame = Frame(max(frame.bytes, *by_compiler, 0), frame.calls)
            self._frames[entry] = frame
        return self._frames[entry]

    def _deepest(
        self, entry: int, reachable: frozenset[str], callers: tuple[int, ...]
    ) -> list[tuple[str, int]]:
        """The path that takes most. reachable: what calls through pointers may come to from here."""
        function = self._program.function_at(entry)
        if entry in callers:
            raise _unbounded(function.name, "it calls itself")
        reachable = reachable & self._pointers.of_function.get(_name_in_c(function.name), reachable)
        frame = self.frame(entry)
        paths = [[(function.name, frame.bytes)]]
        for call in frame.calls:
            for callee in self._targets(function, call, reachable):
                below = self._deepest(callee, reachable, (*callers, entry))
                paths.append([(function.name, call.depth), *below])
        return max(paths, key=lambda path: sum(size for _, size in path))

    def _targets(self, function: Function, call: Call, reachable: frozenset[str]) -> list[int]:
        if call.target is not None:
            return [call.target]
        if _name_in_c(function.name) == self._hook:
            return []
        line = self._lines_of(function).get(call.address, ("", 0))
        names = (reachable & self._pointers.of_line.get(line, reachable)) or reachable
        targets = [
            found.address for name in sorted(names) if (found := self._program.named(name)) is not None
        ]
        if not targets:
            raise _unbounded(function.name, "a call through a pointer to what is not known")
        return targets

    def _lines_of(self, function: Function) -> dict[int, tuple[str, int]]:
        """The source lines of a function's calls through pointers."""
        if function not in self._lines:
            addresses = [c.address for c in self.frame(function.address).calls if c.target is None]
            self._lines[function] = source_lines(self._objects, function, addresses)
        return self._lines[function]


def _name_in_usage(symbol: str) -> str:
    """The name that .su files have: a clone's number is left out there."""
    return re.sub(r"\.\d+$", "", symbol)


def _name_in_c(symbol: str) -> str:
    """Without what the compiler appends to the name of a clone."""
    return symbol.partition(".")[0]


def _unbounded(function: str, why: str) -> EngineFailedError:
    return EngineFailedError("the stack of every function must have a bound", layer=function, value=why)
