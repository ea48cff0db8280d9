"""What an instruction does to the stack pointer and where it leads, and the functions of an image.

What moves the stack pointer in a way that cannot be followed is refused, never guessed.
"""

from __future__ import annotations

import re
import subprocess
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import Symbol, SymbolTableSection

from mcu_quant.verify.disassembly import Instruction, disassemble
from mcu_quant.verify.tools import beside, find_tool, untranslated

#: What objdump has to be told for MVE.
_MVE = "armv8.1-m.main"
_TARGET = re.compile(r"\b([0-9a-f]+) <[^>]*>$")
_CONDITION = "(?:eq|ne|cs|hs|cc|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)"
_BRANCH = re.compile(f"b{_CONDITION}?|cbn?z|le|letp|wls|wlstp(?:\\.\\d+)?")
_CALL = re.compile(f"bl{_CONDITION}?")
_CALL_REGISTER = re.compile(f"blx{_CONDITION}?")
_BRANCH_REGISTER = re.compile(f"bx{_CONDITION}?")
_SWITCH_HELPER = re.compile(r"<__gnu_thumb1_case_\w+>")
_REGISTERS = re.compile(r"\{([^}]*)\}")
#: What addr2line prints: a path, a line, perhaps a discriminator.
_LINE = re.compile(r"(?:.*/)?([^/]+):(\d+)(?: |$)")
_LITERAL = re.compile(r"(r\d+|ip|lr), \[pc, #(\d+)\]")
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
    """Where an instruction goes next; if it falls_through, to the next one, too."""

    NEXT = "next"
    JUMP = "jump"
    CALL = "call"
    CALL_REGISTER = "call register"
    JUMP_REGISTER = "jump register"
    TABLE = "table"
    RETURN = "return"


def target(instruction: Instruction) -> int | None:
    """The address that a branch or call goes to, if it is fixed."""
    match = _TARGET.search(instruction.operands.rstrip())
    return int(match[1], 16) if match else None


def flow(instruction: Instruction) -> Flow:
    name, operands = instruction.mnemonic, instruction.operands.rstrip()
    if _SWITCH_HELPER.search(operands) or name in ("tbb", "tbh"):
        return Flow.TABLE
    if _CALL.fullmatch(name):
        return Flow.CALL
    if _CALL_REGISTER.fullmatch(name):
        return Flow.CALL if target(instruction) is not None else Flow.CALL_REGISTER
    if _BRANCH.fullmatch(name):
        return Flow.JUMP
    if _BRANCH_REGISTER.fullmatch(name):
        return Flow.RETURN if operands == "lr" else Flow.JUMP_REGISTER
    if _writes_pc(name, operands):
        is_return = "sp" in operands or operands == "pc, lr" or name.startswith("pop")
        return Flow.RETURN if is_return else Flow.TABLE
    return Flow.RETURN if name == "udf" else Flow.NEXT


def falls_through(instruction: Instruction) -> bool:
    """Whether the next instruction may come next."""
    kind = flow(instruction)
    if kind in (Flow.NEXT, Flow.CALL, Flow.CALL_REGISTER):
        return True
    unconditional = ("b", "bx", "pop", "mov", "ldr", "ldmia", "ldm", "udf")
    return kind is not Flow.TABLE and instruction.mnemonic not in unconditional


def stack_change(instruction: Instruction, registers: Mapping[str, int]) -> int:
    """By how many bytes the stack grows, if the instruction runs.

    registers: the constants that are loaded into them. Raises UnknownStackError.
    """
    name, operands = instruction.mnemonic, instruction.operands.rstrip()
    if operands.startswith(("{", "sp!")) and name.startswith(_MOVES_LIST):
        size = _list_bytes(operands)
        return _certain(instruction, _PUSHES, size) or _certain(instruction, _POPS, -size)
    if step := _STEP_BEFORE.search(operands) or _STEP_AFTER.search(operands):
        return _certain(instruction, _STEPS, -int(step[1]))
    if not re.match(r"sp\b", operands) or name.startswith(_READERS):
        return 0
    sign = {"sub": 1, "subw": 1, "add": -1, "addw": -1}.get(name)
    if sign is not None and (match := _IMMEDIATE.fullmatch(operands)):
        return sign * int(match[1])
    if sign is not None and (match := _BY_REGISTER.fullmatch(operands)) and match[1] in registers:
        return sign * registers[match[1]]
    raise UnknownStackError(f"{name} {operands}")


def _certain(instruction: Instruction, names: Sequence[str], change: int) -> int:
    """The change if the instruction is one of names, else 0. One that may not run must be a return."""
    if instruction.mnemonic in names:
        return change
    if instruction.mnemonic.startswith(tuple(names)) and flow(instruction) is not Flow.RETURN:
        raise UnknownStackError(f"{instruction.mnemonic} {instruction.operands}")
    return 0


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


class Program:
    """The code of an image, its symbols (as pyelftools has them) and functions. Raises ToolMissingError."""

    def __init__(self, image: Path, *, has_mve: bool = False) -> None:
        self.code = disassemble(image, _MVE if has_mve else None)
        self.symbols = read_symbols(image)
        self.functions = _functions(self.symbols)
        self._starts = [function.address for function in self.functions]
        self._bytes = _code_bytes(image)

    def function_at(self, address: int) -> Function:
        """The function that has that address in it. Raises KeyError."""
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self.functions[index].end:
            raise KeyError(hex(address))
        return self.functions[index]

    def named(self, name: str) -> Function | None:
        return next((function for function in self.functions if function.name == name), None)

    def constant(self, instruction: Instruction) -> tuple[str, int] | None:
        """(register, signed value) where an instruction loads a word that lies among the code."""
        match = _LITERAL.match(instruction.operands)
        if instruction.mnemonic != "ldr" or match is None:
            return None
        where = (instruction.address & ~3) + 4 + int(match[2])
        for address, data in self._bytes:
            if address <= where and where + 4 <= address + len(data):
                word = data[where - address : where - address + 4]
                return match[1], int.from_bytes(word, "little", signed=True)
        return None


def source_lines(
    objects: Sequence[Path], function: Function, addresses: Sequence[int]
) -> dict[int, tuple[str, int]]:
    """(name of the source file, line from 1) of instructions of a function, where it is known.

    objects: compiled with a section for each function. They are asked and not the image, in whose debug
    information functions that the linker left out lie over others.
    """
    addr2line = beside(find_tool("arm-none-eabi-gcc"), "addr2line")
    places = [hex(address - function.address) for address in addresses]
    for file in objects:
        command = [addr2line, "-e", str(file), "-j", f".text.{function.name}", *places]
        done = subprocess.run(command, env=untranslated(), capture_output=True, text=True, check=False)
        if done.returncode == 0:
            found = [_LINE.match(text) for text in done.stdout.splitlines()]
            pairs = zip(addresses, found, strict=True)
            return {address: (line[1], int(line[2])) for address, line in pairs if line}
    return {}


def _code_bytes(image: Path) -> list[tuple[int, bytes]]:
    """(address, contents) of the sections with code."""
    with image.open("rb") as stream:
        sections = ELFFile(stream).iter_sections()
        return [(s["sh_addr"], s.data()) for s in sections if s["sh_flags"] & SH_FLAGS.SHF_EXECINSTR]


def _functions(table: Sequence[Symbol]) -> list[Function]:
    """By address; a symbol without a size reaches to the next."""
    symbols = sorted(
        (symbol["st_value"] & ~1, symbol["st_size"], symbol.name)
        for symbol in table
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
