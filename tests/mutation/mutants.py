"""Changes of one instruction: another opcode, register or number, or the instruction left out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

#: Opcodes that take the same operands. Suffixes (.s8, s of adds) are kept.
_SIBLINGS = (
    ("add", "sub"),
    ("adds", "subs"),
    ("addw", "subw"),
    ("adcs", "adds", "subs"),
    ("muls", "ands", "orrs"),
    ("ands", "bics", "eors"),
    ("and", "orr", "bic"),
    ("lsl", "lsr", "asr", "ror"),
    ("lsls", "lsrs", "asrs"),
    ("mla", "mls"),
    ("smlal", "umlal"),
    ("smlad", "smladx", "smlsd"),
    ("smuad", "smuadx", "smusd"),
    ("smlabb", "smlabt", "smlatb", "smlatt"),
    ("smmla", "smmlar", "smmls"),
    ("smmul", "smmulr"),
    ("sxtb16", "uxtb16"),
    ("sxtb", "uxtb", "sxth"),
    ("pkhbt", "pkhtb"),
    ("ssat", "usat"),
    ("sadd16", "ssub16", "sasx"),
    ("ssub16", "sadd16", "ssax"),
    ("sxtab16", "uxtab16"),
    ("ldrsb", "ldrb", "ldrsh"),
    ("ldrb", "ldrsb", "ldrh"),
    ("ldr", "ldrh", "str"),
    ("str", "strh", "strb"),
    ("strb", "strh", "ldrb"),
    ("cmp", "cmn"),
    ("bne", "beq"),
    ("blt", "ble", "bge"),
    ("bgt", "bge", "ble"),
    ("movlt", "movgt", "movle"),
    ("movgt", "movlt", "movge"),
    ("movs", "mvns"),
    ("vadd", "vsub", "vqadd"),
    ("vmul", "vadd"),
    ("vmulh", "vrmulh"),
    ("vmladava", "vmladav", "vmlsdava", "vmladavax"),
    ("vmladav", "vmlsdav", "vmladavx"),
    ("vqrdmulh", "vqdmulh"),
    ("vqrdmlah", "vqdmlah"),
    ("vrshl", "vqrshl", "vshl"),
    ("vshr", "vrshr"),
    ("vmax", "vmin"),
    ("vmin", "vmax"),
    ("vqmovnb", "vmovnb", "vqmovnt"),
    ("vqmovnt", "vmovnt", "vqmovnb"),
    ("vqmovunb", "vqmovunt"),
    ("vqrshrunb", "vqshrunb"),
    ("vqrshrnb", "vqshrnb"),
    ("vmovlb", "vmovlt"),
    ("vshllb", "vshllt"),
    ("vmovnb", "vmovnt"),
    ("vabs", "vneg"),
    ("veor", "vorr", "vand"),
    ("vidup", "vddup"),
    ("vst40", "vst41"),
    ("vst42", "vst43"),
)
_TYPES = {"s8": ("u8", "s16"), "s16": ("u16", "s8"), "s32": ("u32", "s16"), "u8": ("s8",), "u16": ("s16",)}
_REGISTER = re.compile(r"\b(r\d+|q\d|s\d+|lr|ip|r1[0-2])\b")
_NUMBER = re.compile(r"(?<=#)-?\d+\b|(?<=\.word )-?\d+\b")
_COMMENT = re.compile(r"\s*/\*.*?\*/|\s*@.*$|\s*//.*$")
_BLOCK = re.compile(r"(?:it|vpst)([te]{0,3})(?: \w+)?")
_KINDS = ("deleted", "opcode", "opcode", "register", "register", "number")


@dataclass(frozen=True)
class Change:
    """Of one line of a body, from 0. after: "" if it is left out."""

    line: int
    before: str
    after: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.before} -> {self.after or 'left out'}"

    def applied(self, body: str) -> str:
        lines = body.splitlines()
        lines[self.line] = self.after or "/* left out */"
        return "\n".join(lines)


def with_fault(body: str, line: int) -> str:
    """The body with a fault before that line, or before the block of conditions that it belongs to."""
    lines = body.splitlines()
    for back in range(1, min(4, line) + 1):
        block = _BLOCK.fullmatch(lines[line - back].strip())
        if block is not None and len(block[1]) + 1 >= back:
            line -= back
            break
    return "\n".join([*lines[:line], "udf #0", *lines[line:]])


def random_change(body: str, rng: np.random.Generator) -> Change | None:
    """None if what was drawn cannot be changed in that way. The assembler may yet refuse the change."""
    lines = body.splitlines()
    instructions = [index for index, line in enumerate(lines) if _is_instruction(line)]
    index = int(rng.choice(instructions))
    before = _COMMENT.sub("", lines[index]).strip()
    kind = str(rng.choice(_KINDS))
    if kind == "deleted":
        return Change(index, before, "")
    options = {"opcode": _opcodes, "register": _registers, "number": _numbers}[kind](before, body)
    return Change(index, before, str(rng.choice(options))) if options else None


def _is_instruction(line: str) -> bool:
    text = _COMMENT.sub("", line).strip()
    return bool(text) and not text.endswith(":") and (not text.startswith((".", "#")) or ".word" in text)


def _opcodes(line: str, body: str) -> list[str]:
    opcode, _, operands = line.partition(" ")
    stem, dot, suffix = opcode.partition(".")
    stems = [other for group in _SIBLINGS if stem in group for other in group if other != stem]
    found = [f"{other}{dot}{suffix} {operands}" for other in dict.fromkeys(stems)]
    return found + [f"{stem}.{other} {operands}" for other in _TYPES.get(suffix, ())]


def _registers(line: str, body: str) -> list[str]:
    """Each register that is named, replaced by others of the body."""
    known = sorted(set(_REGISTER.findall(body)))
    opcode, _, operands = line.partition(" ")
    found = []
    for match in _REGISTER.finditer(operands):
        kind = match[0][0] if match[0][0] in "qs" else "r"
        others = [r for r in known if r != match[0] and (r[0] if r[0] in "qs" else "r") == kind]
        found += [f"{opcode} {operands[: match.start()]}{r}{operands[match.end() :]}" for r in others]
    return found


def _numbers(line: str, body: str) -> list[str]:
    found = []
    for match in _NUMBER.finditer(line):
        for step in (-4, -1, 1, 4):
            found.append(f"{line[: match.start()]}{int(match[0]) + step}{line[match.end() :]}")
    return found


def inline_changes(header: str) -> Iterator[tuple[str, str]]:
    """Each opcode of mq_dsp.h's inline assembly replaced by a sibling: the change, and the header with it."""
    start = header.index("#if MQ_HAS_DSP")
    end = header.index("#else", start)
    for match in re.compile(r'(?<=")[a-z]\w+(?=(?: %0[^"]*)?")').finditer(header, start, end):
        for line in _opcodes(match[0], ""):
            changed = line.strip()
            yield f"{match[0]} -> {changed}", header[: match.start()] + changed + header[match.end() :]


def asm_changes(header: str) -> Iterator[tuple[str, str]]:
    """Each instruction of a kernel header's __asm__ statements changed or left out, and the header then."""
    for statement in re.finditer(r'__asm__\("([^"]+)"', header):
        instructions = statement[1].split("\\n\\t")
        for index, before in enumerate(instructions):
            for after in (*_opcodes(before, ""), *_numbers(before, ""), ""):
                text = "\\n\\t".join([*instructions[:index], after, *instructions[index + 1 :]])
                changed = header[: statement.start(1)] + text + header[statement.end(1) :]
                yield f"{before} -> {after or 'left out'}", changed
