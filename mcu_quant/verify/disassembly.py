"""The instructions of a linked image, as GNU objdump shows them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path

from mcu_quant.verify.tools import beside, find_tool, untranslated

_LINE = re.compile(r"\s*([0-9a-f]+):\t([0-9a-f]{4})(?: ([0-9a-f]{4}))? +\t([^\s@;]*)(?:\t([^@;]*))?")
_CONDITION = "(?:eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|al)?"
_BRANCH = re.compile(rf"(?:b|bl|bx|blx|bxns|blxns){_CONDITION}$|cbn?z$|tb[bh]$|le$|letp$|wls$|wlstp\.\d+$")
_MULTIPLE = re.compile(r"v?(?:ldm|stm|push|pop)")
_MULTIPLY = re.compile(r"(?:mul|mla|mls|[us]mul|[us]mla|[us]mls|umaal|smm|smu|sml)")
_REGISTER = re.compile(r"\b(?:r\d+|sb|sl|fp|ip|sp|lr|pc|[sd]\d+)\b")
_RANGE = re.compile(r"([sdr])(\d+)-[sdr](\d+)")


class Kind(Enum):
    """What costs differ by. PAIR: two words; MULTIPLE: as many as the list has."""

    LOAD = "load"
    STORE = "store"
    PAIR = "pair"
    MULTIPLE = "multiple"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    BRANCH = "branch"
    OTHER = "other"


@dataclass(frozen=True)
class Instruction:
    """One Thumb instruction. encoding: 16 bits, or 32 with the first halfword in the upper half.

    mnemonic: without .n and .w; "" for what objdump does not know (2.40: CSINC and its kin). operands: as
    printed.
    """

    address: int
    size: int
    encoding: int
    mnemonic: str
    operands: str

    @cached_property
    def kind(self) -> Kind:
        name = self.mnemonic
        if _BRANCH.match(name):
            return Kind.BRANCH
        if name.startswith(("ldrd", "strd")) or (name in ("vldr", "vstr") and self.operands.startswith("d")):
            return Kind.PAIR
        if name.startswith(("ldr", "vldr")):
            return Kind.LOAD
        if name.startswith(("str", "vstr")):
            return Kind.STORE
        if _MULTIPLE.match(name):
            return Kind.MULTIPLE
        if name.startswith(("sdiv", "udiv", "vdiv", "vsqrt")):
            return Kind.DIVIDE
        return Kind.MULTIPLY if _MULTIPLY.match(name) else Kind.OTHER

    @cached_property
    def words(self) -> int:
        """Words that a PAIR or MULTIPLE moves."""
        if self.kind is Kind.PAIR:
            return 2
        listed = self.operands.partition("{")[2]
        expanded = _RANGE.sub(_spell_out, listed)
        return sum(2 if name.startswith("d") else 1 for name in _REGISTER.findall(expanded))

    @cached_property
    def registers(self) -> tuple[str, ...]:
        """Every register named, in order."""
        return tuple(_REGISTER.findall(self.operands))

    @cached_property
    def address_registers(self) -> frozenset[str]:
        return frozenset(_REGISTER.findall(self.operands.partition("[")[2]))


def _spell_out(found: re.Match[str]) -> str:
    letter, first, last = found[1], int(found[2]), int(found[3])
    return ", ".join(f"{letter}{n}" for n in range(first, last + 1))


class Code:
    """Instructions by address."""

    def __init__(self, instructions: Iterable[Instruction]) -> None:
        self._at = {one.address: one for one in instructions}
        self._ending_at = {one.address + one.size: one for one in self._at.values()}

    def __getitem__(self, address: int) -> Instruction:
        return self._at[address]

    def __iter__(self) -> Iterator[Instruction]:
        return iter(self._at.values())

    def __contains__(self, address: int) -> bool:
        return address in self._at

    def before(self, address: int) -> Instruction | None:
        """The instruction that ends where another begins."""
        return self._ending_at.get(address)

    def span(self, first: int, last: int) -> Iterator[Instruction]:
        """From the instruction at first to that at last, which is included."""
        address = first
        while address <= last:
            instruction = self._at[address]
            yield instruction
            address += instruction.size


def disassemble(image: Path, architecture: str | None = None) -> Code:
    """The executable sections of an ELF file. Raises ToolMissingError.

    architecture: objdump's name of it. Without, what an image says of itself, which leaves out MVE.
    """
    objdump = beside(find_tool("arm-none-eabi-gcc"), "objdump")
    shown = subprocess.run(
        [objdump, "-d", *(["-m", architecture] if architecture else []), str(image)],
        env=untranslated(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return Code(parse(shown.splitlines()))


def parse(lines: Iterable[str]) -> Iterator[Instruction]:
    """Instructions of `objdump -d`; data among them is left out."""
    for line in lines:
        found = _LINE.match(line)
        if found and not found[4].startswith("."):
            first, second = found[2], found[3] or ""
            mnemonic = found[4].removesuffix(".n").removesuffix(".w")
            size = 4 if second else 2
            yield Instruction(int(found[1], 16), size, int(first + second, 16), mnemonic, found[5] or "")
