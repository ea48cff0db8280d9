"""Assembly costed as text, against the model that measures: the same instructions, assembled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mcu_quant.kernels.assembly_cycles import instructions, loop_cycles, straight_cycles
from mcu_quant.kernels.base import CORES, Assembly, Core
from mcu_quant.verify.cycles import MODELS
from mcu_quant.verify.disassembly import Instruction
from tests.boards.test_cycles import assemble
from tests.kernels.test_guards import GUARDED

M3, M4 = CORES["cortex-m3"], CORES["cortex-m4"]


def bodies(family: str) -> Iterator[str]:
    """Of the guards' models."""
    found = {
        argument.body
        for kernel, guard in GUARDED
        if kernel.family == family and guard.runs
        for call in kernel.calls(guard.inside.node())
        for argument in call.arguments
        if isinstance(argument, Assembly)
    }
    return iter(sorted(found))


@pytest.mark.qemu
@pytest.mark.parametrize(("family", "core"), [("armv7m", M3), ("armv7m", M4), ("dsp", M4)])
def test_the_text_costs_what_the_encodings_cost(family: str, core: Core, tmp_path: Path) -> None:
    checked = 0
    for body in bodies(family):
        # A load at a loop's begin is costed as behind the jump that comes back; here, as behind a NOP.
        lines = [part for line in instructions(body) for part in ([line, "nop"] if ":" in line else [line])]
        assembled = assemble(core.name, "; ".join(lines), tmp_path)
        model = MODELS[core.name]
        taken = sum(model.jump(instruction) for instruction in assembled if leaves(instruction))
        expected = model.costs(assembled, None) + taken
        # The assembler makes STR of an STM of one word by a high register, which costs one less.
        singles = sum(line.startswith("stm r12!, {") and "," not in line.split("{")[1] for line in lines)
        assert straight_cycles(lines, slow_multiplications=core is M3) == expected + singles, body
        checked += 1
    assert checked > 10


def leaves(instruction: Instruction) -> bool:
    """A branch back, or a return."""
    name, operands = instruction.mnemonic, instruction.operands
    if name.startswith("b") and operands.split() and "<" in operands:
        return name == "b" or int(operands.split()[0], 16) < instruction.address
    return name == "bx" or (name.startswith(("pop", "ldm")) and "pc" in operands)


NESTED = """
    push {r4, lr}
1:
    ldr r0, [r1], #4
    /* inner */
2:
    ldr r2, [r0], #4
    ldr r3, [r0, #8]
    mla r4, r2, r3, r4
    subs r12, r12, #1
    bne 2b
    str r4, [r1]
    subs lr, lr, #1
    bne 1b
    pop {r4, pc}
"""


@pytest.mark.parametrize(("core", "mla"), [(M3, 2), (M4, 1)])
def test_loops_count_as_often_as_they_run(core: Core, mla: int) -> None:
    """Three turns, of five turns each; the last one of each falls through its branch."""
    inner = 15 * (2 + 1 + mla + 1 + 3) - 3 * 2
    outer = 3 * (2 + 1 + 1 + 3) - 2
    assert loop_cycles(NESTED, {1: 3, 2: 15}, core) == 3 + outer + inner + 5


def test_what_is_not_named_never_runs() -> None:
    assert loop_cycles(NESTED, {}, M4) == 3 + 5
    assert loop_cycles(NESTED, {1: 2}, M4) == 3 + 5 + 2 * 7 - 2


def test_a_loop_that_only_a_jump_forward_leaves_always_branches_back() -> None:
    assert loop_cycles("1:\nsubs r0, r0, #1\nblt 2f\nb 1b\n2:\nbx lr", {1: 4}, M4) == 4 * 5 + 3


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("ldr r0, [r1]; ldr r2, [r1, #4]; ldr r3, [r2]; 1:; ldr r0, [r1]", 2 + 1 + 2 + 2),
        ("ldrd r0, r1, [r2]; ldr r3, [r2]; strd r0, r1, [r2]", 3 + 2 + 3),
        ("ldm r1!, {r2-r5, r7}; stmia r1!, {r2}", 6 + 2),
        ("smull r0, r1, r2, r3; smlal r0, r1, r2, r3; mul r0, r1, r2; mls r0, r1, r2, r3", 4 + 5 + 1 + 2),
    ],
)
def test_rules(source: str, expected: int) -> None:
    assert straight_cycles(source.split("; "), slow_multiplications=True) == expected
