"""The instructions of a linked image, as far as they concern the stack and the flow of control.

Thumb as objdump prints it. What moves the stack pointer in a way that cannot be followed is refused,
never guessed.
"""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Symbol, SymbolTableSection

from mcu_quant.verify.tools import beside, find_tool, untranslated

_LINE = re.compile(r"^ *([0-9a-f]+):\t([0-9a-f ]+)\t(\S+)(?:\t([^@]*))?")
_TARGET = re.compile(r"\b([0-9a-f]+) <[^>]*>$")
_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)"
_BRANCH = re.compile(f"b{_CONDITION}?|cbn?z|le|letp|wls|wlstp(?:\\.\\d+)?")
_CALL = re.compile(f"bl{_CONDITION}?")
_CALL_REGISTER = re.compile(f"blx{_CONDITION}?")
_BRANCH_REGISTER = re.compile(f"bx{_CONDITION}?")
_SWITCH_HELPER = re.compile(r"<__gnu_thumb1_case_\w+>")
_REGISTERS = re.compile(r"\{([^}]*)\}")
_STEP_BEFORE = re.compile(r"\[sp, #(-?\d+)\]!$")
_STEP_AFTER = re.compile(r"\[sp\], #(-?\d+)$")
_IMMEDIATE = re.compile(r"sp, (?:sp, )?#(\d+)")
_BY_REGISTER = re.compile(r"sp, (?:sp, )?(r\d+)")
_PUSHES = ("push", "vpush", "stmdb", "vstmdb")
_POPS = ("pop", "vpop", "ldmia", "ldm", "vldmia")
_MOVES_LIST = ("push", "vpush", "pop", "vpop", "stm", "vstm", "ldm", "vldm")
_STEPS = ("str", "strd", "strb", "strh", "vstr", "ldr", "ldrd", "ldrb", "ldrh", "vldr")
#: These have the stack pointer as first operand and only read it.
_READERS = ("cmp", "cmn", "tst", "teq", "str", "stm", "ldm", "vstm", "vldm")


class UnknownStackError(Exception):
    """An instruction moves the stack pointer by what is known only when it runs."""


class Flow(Enum):
    """Where an instruction goes next. JUMP may fall through, too, if `Instruction.falls_through`."""

    NEXT = "next"
    JUMP = "jump"
    CALL = "call"
    CALL_REGISTER = "call register"
    JUMP_REGISTER = "jump register"
    TABLE = "table"
    RETURN = "return"


@dataclass(frozen=True)
class Instruction:
    """mnemonic: without .n and .w. operands: without comments. word: of data, None for instructions."""

    address: int
    bytes: int
    mnemonic: str
    operands: str
    word: int | None = None

    @property
    def target(self) -> int | None:
        """Of a branch or call to a fixed address."""
        match = _TARGET.search(self.operands)
        return int(match[1], 16) if match else None

    @property
    def flow(self) -> Flow:
        name, operands = self.mnemonic, self.operands
        if _SWITCH_HELPER.search(operands) or name in ("tbb", "tbh"):
            return Flow.TABLE
        if _CALL.fullmatch(name):
            return Flow.CALL
        if _CALL_REGISTER.fullmatch(name):
            return Flow.CALL if self.target is not None else Flow.CALL_REGISTER
        if _BRANCH.fullmatch(name):
            return Flow.JUMP
        if _BRANCH_REGISTER.fullmatch(name):
            return Flow.RETURN if operands == "lr" else Flow.JUMP_REGISTER
        if _writes_pc(name, operands):
            is_return = "sp" in operands or operands == "pc, lr" or name.startswith("pop")
            return Flow.RETURN if is_return else Flow.TABLE
        return Flow.RETURN if name == "udf" else Flow.NEXT

    @property
    def falls_through(self) -> bool:
        """Whether the next instruction may come next."""
        if self.flow in (Flow.NEXT, Flow.CALL, Flow.CALL_REGISTER):
            return True
        return self.flow is not Flow.TABLE and self._is_conditional

    @property
    def _is_conditional(self) -> bool:
        plain = ("b", "bx", "pop", "mov", "ldr", "ldmia", "ldm", "udf")
        return self.mnemonic not in plain

    def stack_change(self, words: Mapping[int, int], registers: Mapping[str, int]) -> int:
        """By how many bytes the stack grows, if the instruction runs.

        words: the image's data by address. registers: those that were loaded with a known word.
        Raises UnknownStackError.
        """
        name, operands = self.mnemonic, self.operands
        if operands.startswith(("{", "sp!")) and name.startswith(_MOVES_LIST):
            return self._certain(_PUSHES, _list_bytes(operands)) or self._certain(
                _POPS, -_list_bytes(operands)
            )
        if step := _STEP_BEFORE.search(operands) or _STEP_AFTER.search(operands):
            return self._certain(_STEPS, -int(step[1]))
        if not re.match(r"sp\b", operands) or name.startswith(_READERS):
            return 0
        return self._arithmetic(registers)

    def _certain(self, names: Sequence[str], change: int) -> int:
        """The change if the instruction is one of names, else 0. One that may not run must be a return."""
        if self.mnemonic in names:
            return change
        if self.mnemonic.startswith(tuple(names)) and self.flow is not Flow.RETURN:
            raise UnknownStackError(f"{self.mnemonic} {self.operands}")
        return 0

    def _arithmetic(self, registers: Mapping[str, int]) -> int:
        sign = {"sub": 1, "subw": 1, "add": -1, "addw": -1}.get(self.mnemonic)
        if sign is not None and (match := _IMMEDIATE.fullmatch(self.operands)):
            return sign * int(match[1])
        if sign is not None and (match := _BY_REGISTER.fullmatch(self.operands)) and match[1] in registers:
            return sign * registers[match[1]]
        raise UnknownStackError(f"{self.mnemonic} {self.operands}")

    def literal(self, words: Mapping[int, int]) -> tuple[str, int] | None:
        """(register, signed value) of a load from the code's own constants."""
        match = re.match(r"(r\d+|ip|lr), \[pc, #\d+\]$", self.operands)
        if not self.mnemonic.startswith("ldr") or match is None:
            return None
        offset = int(self.operands.rsplit("#", 1)[1].rstrip("]"))
        value = words.get((self.address & ~3) + 4 + offset)
        return None if value is None else (match[1], value - 2**32 if value >= 2**31 else value)


def _writes_pc(name: str, operands: str) -> bool:
    if operands.startswith("pc,") and not name.startswith(("cmp", "str")):
        return True
    return bool(re.search(r"\bpc\}", operands)) and name.startswith(("pop", "ldm"))


def _list_bytes(operands: str) -> int:
    """Of a list of registers: {r4, r5, lr}, {d8-d15}."""
    match = _REGISTERS.search(operands)
    assert match is not None, operands
    count = 0
    for part in match[1].split(","):
        first, _, last = part.strip().partition("-")
        number = 1 if not last else int(last[1:]) - int(first[1:]) + 1
        count += number * (8 if first.startswith("d") else 4)
    return count


@dataclass(frozen=True)
class Function:
    """A symbol of code: [address, end)."""

    name: str
    address: int
    end: int


class Code:
    """All code of an image. Raises ToolMissingError without objdump."""

    def __init__(self, image: Path, *, has_mve: bool = False) -> None:
        self._image = image
        self.instructions = _disassemble(image, has_mve)
        self.words = {i.address: i.word for i in self.instructions.values() if i.word is not None}
        self.functions = _functions(image)
        self._starts = [function.address for function in self.functions]

    def function_at(self, address: int) -> Function:
        """The function that has that address in it. Raises KeyError."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self.functions[index].end:
            raise KeyError(hex(address))
        return self.functions[index]

    def lines(self, addresses: Sequence[int]) -> dict[int, tuple[str, int]]:
        """(name of the source file, line from 1) of instructions, where the debug information has them."""
        command = [beside(find_tool("arm-none-eabi-gcc"), "addr2line"), "-e", str(self._image)]
        shown = _output([*command, *map(hex, addresses)]).splitlines() if addresses else []
        found = {}
        for address, text in zip(addresses, shown, strict=True):
            path, _, line = text.split(" ")[0].rpartition(":")
            if line.isdigit():
                found[address] = (path.rsplit("/", 1)[-1], int(line))
        return found

    def named(self, name: str) -> Function | None:
        return next((function for function in self.functions if function.name == name), None)


def _disassemble(image: Path, has_mve: bool) -> dict[int, Instruction]:
    objdump = beside(find_tool("arm-none-eabi-gcc"), "objdump")
    architecture = ["-m", "armv8.1-m.main"] if has_mve else []
    matches = map(_LINE.match, _output([objdump, "-d", "-z", *architecture, str(image)]).splitlines())
    found = (_parse(match) for match in matches if match)
    return {instruction.address: instruction for instruction in found}


def _output(command: list[str]) -> str:
    return subprocess.run(
        command, env=untranslated(), capture_output=True, text=True, errors="replace", check=True
    ).stdout


def _parse(match: re.Match[str]) -> Instruction:
    address, code, mnemonic, operands = match.groups(default="")
    size = len(code.replace(" ", "")) // 2
    operands = operands.strip()
    word = int(operands, 16) if mnemonic == ".word" else 0 if mnemonic.startswith(".") else None
    return Instruction(int(address, 16), size, re.sub(r"\.[nw]$", "", mnemonic), operands, word)


def _functions(image: Path) -> list[Function]:
    """By address; a symbol without a size reaches to the next."""
    symbols = sorted(
        (symbol["st_value"] & ~1, symbol["st_size"], symbol.name)
        for symbol in read_symbols(image)
        if symbol["st_info"]["type"] == "STT_FUNC" and symbol["st_shndx"] != "SHN_UNDEF"
    )
    starts = sorted({start for start, _, _ in symbols})
    functions = []
    for start, size, name in symbols:
        after = bisect_right(starts, start)
        following = starts[after] if after < len(starts) else start + 2
        functions.append(Function(name, start, start + size if size else following))
    return functions


def read_symbols(image: Path) -> list[Symbol]:
    """The symbol table of an image; pyelftools' symbols, which outlive the file."""
    with image.open("rb") as stream:
        table = ELFFile(stream).get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection), image
        return list(table.iter_symbols())
