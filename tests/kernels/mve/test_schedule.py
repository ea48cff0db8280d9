"""The scheduler against a machine of symbols: all registers and all of memory must end up the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mcu_quant.kernels.mve import cost
from mcu_quant.kernels.mve.schedule import scheduled


@dataclass
class Machine:
    """Values are the texts of what made them; memory is the list of its stores, of the stack and the rest."""

    registers: dict[str, str] = field(default_factory=dict)
    stores: dict[str, list[str]] = field(default_factory=lambda: {"stack": [], "other": []})

    def get(self, *names: str) -> str:
        return ",".join(self.registers.get(name, f"{name} at first") for name in names)

    def set(self, name: str, *value: str) -> None:
        self.registers[name] = str(hash(value))


Effect = Callable[[Machine], None]
#: Makes (text, effect), written from the architecture's manual and not from the scheduler's tables.
Maker = Callable[[random.Random], tuple[str, Effect]]
VECTORS, CORE = [f"q{i}" for i in range(8)], ["r0", "r2", "r4", "r6", "lr"]
POINTERS = ["r1", "r3", "r9"]


def computes(text: str, reads: str, writes: str) -> Maker:
    """Letters of the text stand for registers: a, b vectors, x, y core registers, F flags."""

    def make(rng: random.Random) -> tuple[str, Effect]:
        names = dict(zip("ab", rng.choices(VECTORS, k=2), strict=True))
        names |= dict(zip("xy", rng.sample(CORE, 2), strict=True)) | {"F": "F"}
        line = text.format(**names)

        def run(machine: Machine) -> None:
            value = machine.get(*(names[letter] for letter in reads))
            for letter in writes:
                machine.set(names[letter], text, letter, value)

        return line, run

    return make


def accesses(text: str, moves: bool, stores: bool, half: bool = False, gathers: bool = False) -> Maker:
    """`text` has a vector a, or the one whose half is d, and a pointer p; gathers: a vector b of places."""

    def make(rng: random.Random) -> tuple[str, Effect]:
        pointer = rng.choice(POINTERS if moves or gathers else [*POINTERS, "sp"])
        number = rng.randrange(8)
        vector, places = f"q{number}", rng.choice(VECTORS)
        line = text.format(a=vector, d=f"d{2 * number}", p=pointer, b=places)
        space = "stack" if pointer == "sp" else "other"

        def run(machine: Machine) -> None:
            where = machine.get(pointer, *([places] if gathers else []))
            if stores:
                machine.stores[space].append(machine.get(vector) + where)
            else:
                kept = machine.get(vector) if half else ""
                # What r1 points at is never stored to.
                seen = "" if pointer == "r1" else str(machine.stores[space])
                machine.set(vector, text, where, kept, seen)
            if moves:
                machine.set(pointer, "moved", machine.get(pointer))

        return line, run

    return make


MAKERS: dict[str, Maker] = {
    "sum": computes("vmladav.s8 {x}, {a}, {b}", "ab", "x"),
    "more": computes("vmladava.s8 {x}, {a}, {b}", "xab", "x"),
    "two lanes": computes("vmov {a}[2], {a}[0], {x}, {y}", "axy", "a"),
    "lane": computes("vmov.32 {a}[1], {x}", "ax", "a"),
    "all lanes": computes("vdup.32 {a}, {x}", "x", "a"),
    "copy": computes("vmov {a}, {b}", "b", "a"),
    "add": computes("vadd.i32 {a}, {b}, {x}", "bx", "a"),
    "scale": computes("vqrdmulh.s32 {a}, {b}, {x}", "bx", "a"),
    "scale and add": computes("vqrdmlah.s32 {a}, {b}, {x}", "abx", "a"),
    "shift": computes("vrshl.s32 {a}, {x}", "ax", "a"),
    "shift through": computes("vshlc {a}, {x}, #8", "ax", "ax"),
    "signs": computes("vshr.s32 {a}, {b}, #31", "b", "a"),
    "narrow": computes("vqmovnb.s32 {a}, {b}", "ab", "a"),
    "narrow and shift": computes("vqrshrunt.s32 {a}, {b}, #3", "ab", "a"),
    "constant": computes("mov {x}, #5", "", "x"),
    "upper half": computes("movt {x}, #5", "x", "x"),
    "flags": computes("adds {x}, {y}, #4", "y", "xF"),
    "load": accesses("vldrw.u32 {a}, [{p}, #16]", False, False),
    "load on": accesses("vldrb.u8 {a}, [{p}], #16", True, False),
    "load half": accesses("vldr {d}, [{p}, #8]", False, False, half=True),
    "store": accesses("vstrw.32 {a}, [{p}]", False, True),
    "store on": accesses("vstrb.16 {a}, [{p}], #8", True, True),
    "scatter": accesses("vstrw.32 {a}, [{p}, {b}]", False, True, gathers=True),
}


def ends_alike(program: list[tuple[str, Effect]], order: list[str]) -> bool:
    effects: dict[str, Effect] = dict(program)
    before, after = Machine(), Machine()
    for _, effect in program:
        effect(before)
    for line in order:
        effects[line](after)
    return before == after


def random_program(seed: int) -> list[tuple[str, Effect]]:
    rng = random.Random(seed)
    loads = [name for name in MAKERS if name.startswith("load")]
    names = rng.choices([*MAKERS, *loads, *loads, *["more"] * 8], k=40)
    # r1 is for loads alone.
    made = [MAKERS[name](rng) for name in names]
    return [(line, run) for line, run in made if not (line.startswith("vst") and "[r1" in line)]


def test_random_programs_do_the_same() -> None:
    moved = 0
    for seed in range(120):
        program = random_program(seed)
        lines = [line for line, _ in program]
        order = scheduled(lines, ["r1"])
        assert sorted(order) == sorted(lines), seed
        assert ends_alike(program, order), seed
        assert cost.cycles(order) <= cost.cycles(lines), seed
        moved += order != lines
    assert moved > 80


@pytest.mark.parametrize("name", MAKERS)
def test_the_machine_sees_what_an_instruction_waits_for(name: str) -> None:
    """An order that is wrong is seen: each instruction is moved before all others of some program."""
    seen = False
    for seed in range(10):
        rng = random.Random(seed)
        program = [*random_program(seed), MAKERS[name](rng)]
        lines = [line for line, _ in program]
        seen = seen or not ends_alike(program, [lines[-1], *lines[:-1]])
    assert seen


def test_what_alternates_is_found() -> None:
    lines = ["vldrb.u8 q0, [r1], #16", "vldrb.u8 q1, [r1], #16", "vldrb.u8 q2, [r1], #16"]
    lines += ["vmladava.s8 r0, q0, q4", "vmladava.s8 r2, q1, q4", "vmladava.s8 r4, q2, q4"]
    assert cost.cycles(lines) == 10
    assert cost.cycles(scheduled(lines)) == 6


@pytest.mark.parametrize("barrier", ["1:", "bne 1b", "dls lr, r2", "vpst", "vctp.16 r11", "/* a word */"])
def test_nothing_moves_over(barrier: str) -> None:
    before = ["vldrb.u8 q0, [r3]", "vldrb.u8 q1, [r5]", "vldrb.u8 q2, [r7]"]
    after = ["vadd.i8 q4, q4, q5", "vadd.i8 q6, q6, q5", "vmladava.s8 r4, q5, q5"]
    order = scheduled([*before, barrier, *after])
    assert sorted(order[:3]) == before and order[3] == barrier and order != [*before, barrier, *after]
    assert barrier not in scheduled([*before, *after])
