"""Modelled cycles: what a run's instructions would take on each core, by rules, not by silicon.

Zero wait states, no interrupts, no caches that miss. An instruction that its condition skips costs like
one that runs. Figures of one core compare with each other, and rank kernels; they are not calibrated.
Sources: Arm's technical reference manuals of the Cortex-M0 (DDI 0432), M0+ (DDI 0484), M3 (DDI 0337) and
M4 (DDI 0439), "Processor timing" or "Instruction set summary". Those of M7, M33 and M55 give no timings:
what stands here for them is simple and assumed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mcu_quant.verify.disassembly import Code, Instruction, Kind
from mcu_quant.verify.mve_classes import GATHER, MEMORY, gathered_elements, mve_class

#: Of Cortex-M55's low-overhead loops.
LOOP_ENDS = ("le", "letp")


@dataclass(frozen=True)
class Block:
    """Instructions from first to last (addresses) that ran in a row, so many times, right after another one.

    before: the address of that one.
    """

    before: int
    first: int
    last: int
    times: int


class CycleModel(ABC):
    """Costs of one core, in cycles."""

    @abstractmethod
    def cost(self, instruction: Instruction, before: Instruction | None) -> int:
        """Of an instruction. before: what ran right before it, None after a jump."""

    @abstractmethod
    def jump(self, instruction: Instruction) -> int:
        """What it costs on top that an instruction leaves for another place than the next."""

    def costs(self, instructions: Sequence[Instruction], before: Instruction | None) -> int:
        """Of instructions in a row."""
        total = 0
        for instruction in instructions:
            total += self.cost(instruction, before)
            before = instruction
        return total


class CortexM3(CycleModel):
    """Everything 1, but: loads 2, or 1 right after another load that gives no part of the address; loads and
    stores of n words 1 + n; taken branches 3; divisions 12 (the manual: 2 to 12, here the most);
    MLA 2, SMULL 4 (3 to 5), SMLAL 5 (4 to 7).
    """

    _multiplications: tuple[tuple[tuple[str, ...], int], ...] = (
        (("smlal", "umlal"), 5),
        (("smull", "umull"), 4),
        (("mla", "mls"), 2),
    )

    def cost(self, instruction: Instruction, before: Instruction | None) -> int:
        kind = instruction.kind
        if kind is Kind.LOAD:
            return 1 if _is_pipelined(instruction, before) else 2
        if kind in (Kind.PAIR, Kind.MULTIPLE):
            return 1 + instruction.words
        if kind is Kind.DIVIDE:
            return 14 if instruction.mnemonic.startswith("v") else 12
        if kind is Kind.MULTIPLY:
            return next(
                (n for names, n in self._multiplications if instruction.mnemonic.startswith(names)), 1
            )
        return 1

    def jump(self, instruction: Instruction) -> int:
        return 2


class CortexM4(CortexM3):
    """As Cortex-M3, but every multiplication 1; division and square root of floats 14."""

    _multiplications = ()


class CortexM0(CycleModel):
    """Everything 1 but: loads and stores 2, of n words 1 + n; taken branches 3, BL 4."""

    _refill = 2

    def cost(self, instruction: Instruction, before: Instruction | None) -> int:
        if instruction.kind in (Kind.LOAD, Kind.STORE):
            return 2
        return 1 + instruction.words if instruction.kind is Kind.MULTIPLE else 1

    def jump(self, instruction: Instruction) -> int:
        is_longer = instruction.mnemonic == "bl" or instruction.kind is Kind.MULTIPLE
        return self._refill + is_longer


class CortexM0Plus(CortexM0):
    """As Cortex-M0, but taken branches 2, BL 3."""

    _refill = 1


class CortexM7(CycleModel):
    """Two instructions in a row take one cycle together if the second does not name what the first writes,
    and not both go to memory or multiply, and the first does not branch. Else each takes 1; loads and stores
    of two words 1 and never together with others, of n words (n + 1) / 2 + 1; divisions 12; taken branches 2,
    for they are predicted. Latencies are left out.
    """

    def cost(self, instruction: Instruction, before: Instruction | None) -> int:
        if instruction.kind in (Kind.MULTIPLE, Kind.PAIR):
            return (instruction.words + 1) // 2 + (instruction.kind is Kind.MULTIPLE)
        return 12 if instruction.kind is Kind.DIVIDE else 1

    def jump(self, instruction: Instruction) -> int:
        return 1

    def costs(self, instructions: Sequence[Instruction], before: Instruction | None) -> int:
        total, first = 0, None
        for instruction in instructions:
            if first is not None and _issue_together(first, instruction):
                first = None
                continue
            total += self.cost(instruction, before)
            first = instruction
        return total


class CortexM55(CycleModel):
    """Scalar instructions 1; loads and stores of n words (n + 1) / 2 + 1; divisions 12; taken branches 3.
    MVE: 1, or 2 right after one of the same class (memory, multiplication, other), since each takes two beats
    of its unit; gathers and scatters 1 for each element. LE 0. Latencies are left out.
    """

    def cost(self, instruction: Instruction, before: Instruction | None) -> int:
        if instruction.size == 4 and (unit := mve_class(instruction.encoding)) is not None:
            own = gathered_elements(instruction.encoding) if unit is GATHER else 1
            return own + (before is not None and _unit(before) == _unit(instruction))
        if instruction.mnemonic in LOOP_ENDS:
            return 0
        if instruction.kind in (Kind.MULTIPLE, Kind.PAIR):
            return (instruction.words + 1) // 2 + 1
        return 12 if instruction.kind is Kind.DIVIDE else 1

    def jump(self, instruction: Instruction) -> int:
        return 0 if instruction.mnemonic in LOOP_ENDS else 2


def _is_pipelined(load: Instruction, before: Instruction | None) -> bool:
    if before is None or before.kind is not Kind.LOAD:
        return False
    return before.registers[0] not in load.address_registers


def _issue_together(first: Instruction, second: Instruction) -> bool:
    both = {first.kind, second.kind}
    if both & {Kind.MULTIPLE, Kind.PAIR, Kind.DIVIDE} or first.kind is Kind.BRANCH:
        return False
    memory = {Kind.LOAD, Kind.STORE}
    if both <= memory or both == {Kind.MULTIPLY}:
        return False
    return not set(_written(first)) & set(second.registers)


def _written(instruction: Instruction) -> tuple[str, ...]:
    """The registers whose new values others may wait for. Comparisons write flags, not registers."""
    if instruction.kind is Kind.STORE or instruction.mnemonic.startswith(("cmp", "cmn", "tst", "teq", "it")):
        return ()
    is_long = instruction.mnemonic.startswith(("smull", "umull", "smlal", "umlal"))
    return instruction.registers[: 2 if is_long else 1]


def _unit(instruction: Instruction) -> str | None:
    unit = mve_class(instruction.encoding) if instruction.size == 4 else None
    return MEMORY if unit is GATHER else unit


#: Core → model. Cortex-M33 is taken for a Cortex-M4.
MODELS: Mapping[str, CycleModel] = {
    "cortex-m0": CortexM0(),
    "cortex-m0plus": CortexM0Plus(),
    "cortex-m3": CortexM3(),
    "cortex-m4": CortexM4(),
    "cortex-m7": CortexM7(),
    "cortex-m33": CortexM4(),
    "cortex-m55": CortexM55(),
}


def modelled_cycles(blocks: Iterable[Block], code: Code, model: CycleModel) -> int:
    """Of all that ran in blocks."""
    return sum(block.times * _cycles_once(block, code, model) for block in blocks)


def _cycles_once(block: Block, code: Code, model: CycleModel) -> int:
    """A jump's cost is counted with the block that it goes to."""
    instructions = list(code.span(block.first, block.last))
    before = code[block.before]
    if before.address + before.size == block.first:
        return model.costs(instructions, before)
    if before.mnemonic in LOOP_ENDS:
        # The core has not fetched LE again: what runs right before is what stands before it.
        return model.costs(instructions, code.before(before.address)) + model.jump(before)
    return model.costs(instructions, None) + model.jump(before)


def instructions_of(blocks: Iterable[Block], code: Code) -> int:
    return sum(block.times * len(list(code.span(block.first, block.last))) for block in blocks)
