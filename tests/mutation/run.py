"""`make mutate`: change an instruction or a byte of a table, and see whether a few cases notice on QEMU.

    python tools/mutate.py --mutants 20 --seed 0 --kernels add_s8_dsp --jobs 2

All mutants of a kernel's functions are in one image beside the originals; a mutant runs when the words of
the cases that point at the original point at it. A changed table is the image with another byte. A
mutant that hangs (a watchdog counts instructions), faults, or changes a byte of an output or beside it
is killed. Those that are not meet cases made against them (attacks.py), as many as it takes, all of which
call the original in its place. What survives these too is in equivalent.py with the reason, or is a gap.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, islice, zip_longest
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile

from mcu_quant.boards import load_board
from mcu_quant.codegen.assembly import AssemblyFunction
from mcu_quant.kernels.base import Constant, Kernel
from tests.kernel_harness import params_bytes
from tests.kernels.machine import Machine, Task, function_text, lay_out
from tests.kernels.prove import BOARDS
from tests.kernels.random_cases import FAST_KERNELS, kernel_named, random_cases
from tests.mutation.attacks import across_segments, attacks, others
from tests.mutation.bench import WATCHDOG_TICKS, Bench, Mutant, originals_of
from tests.mutation.equivalent import reason_of
from tests.mutation.hard_inputs import with_hard_inputs
from tests.mutation.mutants import Change, asm_changes, inline_changes, random_change, with_fault
from tests.mutation.tuned import SIBLING, has_weights, sibling, tells, tuned
from tests.ops.driver import Case

#: Shapes that mutants are run on, and hard cases beside them.
SHAPES, HARD_CASES = 8, 4
#: Outputs of a case, of all its random inputs: with weights, and without.
_OUTPUTS = (4_000, 40_000)
CASES_SEED = 77
_DRAWS = 20
#: Attacks in an image, and how much longer than a case one may take.
_GROUP, _PATIENCE = 48, 10


#: Changed functions, and what they are.
Changed = Sequence[tuple[AssemblyFunction, Mutant]]


@dataclass
class Tally:
    """Of one block: a function's type in C, or a table's label."""

    killed: int = 0
    equivalent: int = 0
    unreached: list[str] = field(default_factory=list)
    survivors: list[str] = field(default_factory=list)

    def count(self, noticed: bool, reason: str | None, change: str) -> None:
        if noticed:
            self.killed += 1
        elif reason is not None:
            self.equivalent += 1
        else:
            self.survivors.append(change)

    @property
    def total(self) -> int:
        return self.killed + self.equivalent + len(self.unreached) + len(self.survivors)


@dataclass
class Report:
    kernel: str
    family: str
    blocks: dict[str, Tally] = field(default_factory=lambda: defaultdict(Tally))
    seconds: float = 0.0


def mutate(kernel: Kernel, seed: int, mutants: int, flips: int, shapes: int = SHAPES) -> Report:
    """mutants: of each block of assembly; flips: bytes of each kind of table; shapes: of cases."""
    report, begin = Report(kernel.name, kernel.family), time.monotonic()
    machine = Machine(load_board(BOARDS[kernel.family]), kernel)
    tuned_tasks, hard = fixed_tasks(kernel, shapes)
    tasks = tuned_tasks + hard
    rng = np.random.default_rng([seed, zlib.crc32(kernel.name.encode())])
    changed = _functions(tuned_tasks, rng, mutants, machine)
    bench = Bench(machine, tasks, _variants(changed))
    survivors, unreached = _survivors(bench, tuned_tasks, changed)
    for _, mutant in changed:
        tally = report.blocks[mutant.block]
        if mutant in unreached:
            tally.unreached.append(mutant.change)
        else:
            tally.count(mutant not in survivors, _reason(kernel, mutant), mutant.change)
    for mutant in _flips(tuned_tasks, rng, flips):
        _flip(bench, mutant, report.blocks[mutant.block], _reason(kernel, mutant))
    for change, noticed in _inline(machine, kernel, tasks):
        reason = reason_of(kernel.name, "inline assembly", change)
        report.blocks["inline assembly"].count(noticed, reason, change)
    report.seconds = time.monotonic() - begin
    return report


def _survivors(bench: Bench, tasks: Sequence[Task], changed: Changed) -> tuple[set[Mutant], set[Mutant]]:
    """(those that neither the cases nor attacks notice, those of them that none runs)."""
    unnoticed = [pair for pair in changed if not bench.notices(pair[1])]
    unreached = {mutant for _, mutant in unnoticed if not bench.reaches(mutant)}
    kernel = tasks[0].kernel
    explained = {mutant for _, mutant in unnoticed if _reason(kernel, mutant) is not None}
    attacked = [pair for pair in unnoticed if pair[1] not in explained]
    for attack in _attacks(bench.machine, tasks, attacked):
        attacked = [pair for pair in attacked if not attack.notices(pair[1])]
        unreached -= {mutant for _, mutant in attacked if mutant in unreached and attack.reaches(mutant)}
        if not attacked:
            break
    survivors = explained | {mutant for _, mutant in attacked}
    return survivors, unreached & survivors


def _reason(kernel: Kernel, mutant: Mutant) -> str | None:
    return reason_of(kernel.name, mutant.block, mutant.change)


def _variants(changed: Changed) -> list[AssemblyFunction]:
    """What an image has beside the originals: the mutants, and the probes for whether they are reached."""
    return [f for function, mutant in changed for f in (function, _probe(function, mutant.line))]


def _flip(bench: Bench, mutant: Mutant, tally: Tally, reason: str | None) -> None:
    """A low bit may be too little for an output to differ; the whole byte is not, unless nobody reads it."""
    noticed = bench.notices(mutant) or bench.notices(replace(mutant, mask=0xFF))
    is_parameter = mutant.block == "parameters"
    if not noticed and is_parameter and not bench.notices(replace(mutant, mask=0xFF, bytes=4)):
        # Of the parameters, some are for the twin in C alone.
        tally.unreached.append(mutant.change)
    else:
        tally.count(noticed, reason, mutant.change)


def fixed_tasks(kernel: Kernel, shapes: int = SHAPES) -> tuple[list[Task], list[Task]]:
    """Tuned cases with their siblings, whose functions and tables are changed; and a few hard cases."""
    cases: list[Case] = []
    for case in random_cases(kernel, CASES_SEED, 3 * shapes, change=tuned):
        if tells(case) and len(cases) < 2 * shapes:
            other = sibling(np.random.default_rng(len(cases)), case)
            cases += [case, other] if kernel.refusal(other.node()) is None else [case]
    hard = list(random_cases(kernel, CASES_SEED, HARD_CASES))
    tasks = [
        lay_out(_with_samples(case), kernel, turn=i // 2 if i % 4 == 1 else None)
        for i, case in enumerate(cases + hard)
    ]
    return tasks[: len(cases)], tasks[len(cases) :]


def _attacks(machine: Machine, tasks: Sequence[Task], unnoticed: Changed) -> Iterator[Bench]:
    """Images of attacks on what was not noticed."""
    if not unnoticed:
        return
    kernel, bodies = tasks[0].kernel, {mutant.body for _, mutant in unnoticed}
    variants = _variants(unnoticed)
    bases = [task for task in tasks if not task.case.name.endswith(SIBLING)]
    cases = [attacks(kernel, task.case, bodies) for task in bases]
    found = chain(
        (task for each in bases for task in across_segments(each, bodies)),
        (lay_out(case, kernel) for turn in zip_longest(*cases) for case in turn if case is not None),
        (lay_out(case, kernel) for case in others(kernel, bodies)),
    )
    fitting = (task for task in found if machine.fits(task))
    while group := list(islice(fitting, _GROUP)):
        for part in machine.groups(group):
            yield Bench(machine, part, variants, _PATIENCE * WATCHDOG_TICKS)


def _with_samples(case: Case) -> Case:
    outputs = _OUTPUTS[0 if has_weights(case) else 1]
    samples = int(np.clip(outputs // case.node().output.elements, 8, 200))
    return with_hard_inputs(np.random.default_rng(CASES_SEED), case, samples, max(samples // 3, 24))


def _functions(
    tasks: Sequence[Task], rng: np.random.Generator, count: int, machine: Machine
) -> list[tuple[AssemblyFunction, Mutant]]:
    """`count` mutants of the functions of each type; those are named as in the image."""
    originals = originals_of(tasks)
    by_type: dict[str, list[AssemblyFunction]] = defaultdict(list)
    for function in originals:
        by_type[function.source.function_type].append(function)
    changed: list[tuple[AssemblyFunction, Mutant]] = []
    for block, functions in by_type.items():
        drawn = _drawn(block, functions, rng, 3 * count + 10, len(changed))
        changed += _assembled(originals, drawn, machine)[:count]
    return changed


def _drawn(
    block: str, functions: Sequence[AssemblyFunction], rng: np.random.Generator, count: int, first: int
) -> list[tuple[AssemblyFunction, Mutant]]:
    """Different changes of lines, each equally likely whatever function it is in."""
    sizes = np.array([len(function.lines) for function in functions], float)
    drawn: dict[tuple[str, Change], tuple[AssemblyFunction, Mutant]] = {}
    for _ in range(_DRAWS * count):
        function = functions[int(rng.choice(len(functions), p=sizes / sizes.sum()))]
        change = random_change(function.source.body, rng)
        if change is None or len(drawn) == count:
            continue
        symbol = f"m{first + len(drawn)}_{zlib.crc32(block.encode()):x}"
        body = change.applied(function.source.body)
        described = f"{function.symbol[2:]}, {change}"
        mutant = Mutant(block, described, function.source.body, symbol, line=change.line)
        drawn[function.symbol, change] = (
            AssemblyFunction(symbol, replace(function.source, body=body)),
            mutant,
        )
    return list(drawn.values())


def _probe(mutant: AssemblyFunction, line: int) -> AssemblyFunction:
    """The function with a fault where it is changed, which says whether any case gets there."""
    body = with_fault(mutant.source.body, line)
    return AssemblyFunction(f"{mutant.symbol}_probe", replace(mutant.source, body=body))


def _assembled(
    originals: Sequence[AssemblyFunction], drawn: list[tuple[AssemblyFunction, Mutant]], machine: Machine
) -> list[tuple[AssemblyFunction, Mutant]]:
    """Those that the assembler takes and that are not the same code as the original."""
    while True:
        lines, owners = [".syntax unified", ".thumb"], [-1, -1]
        for index, function in [
            *((-1, function) for function in originals),
            *((index, function) for index, (function, _) in enumerate(drawn)),
            *((index, _probe(function, mutant.line)) for index, (function, mutant) in enumerate(drawn)),
        ]:
            text = function_text(function)
            lines += text
            owners += [index] * len(text)
        lines.append("preserved: .space 40")
        complaints = machine.assemble("mutants", lines, check=False)
        refused = {owners[int(n) - 1] for n in re.findall(r"mutants\.S:(\d+): Error", complaints)}
        if not refused:
            break
        assert -1 not in refused, complaints
        drawn = [pair for index, pair in enumerate(drawn) if index not in refused]
    with (machine.folder / "mutants.o").open("rb") as stream:
        code = {s.name.removeprefix(".text."): s.data() for s in ELFFile(stream).iter_sections()}
    names = {function.source.body: function.symbol for function in originals}
    return [
        (f, mutant) for f, mutant in drawn if code[f"{f.symbol}_body"] != code[f"{names[mutant.body]}_body"]
    ]


def _flips(tasks: Sequence[Task], rng: np.random.Generator, count: int) -> Iterator[Mutant]:
    """`count` random bytes of all tables of a label, and low bytes of parameters."""
    places: dict[str, list[tuple[str, bytes, int]]] = defaultdict(list)
    for index, task in enumerate(tasks):
        places["parameters"].append((f"t{index}", params_bytes(task.kernel, task.call), 4))
        for place, argument in enumerate(task.call.arguments):
            if isinstance(argument, Constant):
                content = np.ascontiguousarray(argument.data).tobytes()
                places[f"table: {argument.label}"].append((f"t{index}_{place}", content, 1))
    for block, tables in places.items():
        # One byte alone is often there in place of a table that the function does not read.
        tables = [place for place in tables if len(place[1]) > 1] or tables
        for _ in range(count):
            symbol, content, step = tables[int(rng.integers(len(tables)))]
            byte = int(rng.integers(len(content) // step)) * step
            change = f"{symbol}, byte {byte} of {len(content)}, {content[byte]}"
            yield Mutant(block, change, "", symbol, byte)


def _inline(machine: Machine, kernel: Kernel, tasks: Sequence[Task]) -> Iterator[tuple[str, bool]]:
    """Each opcode of mq_dsp.h and each instruction of the kernel's own header that its C uses, changed, and
    whether the cases notice.
    """
    original = (machine.folder / "kernel.o").read_bytes()
    for name, changes in (("mq_dsp.h", inline_changes), (f"mq_{kernel.function}.h", asm_changes)):
        header = machine.folder / name
        if not header.exists():
            continue
        text = header.read_text("utf-8")
        for change, changed in changes(text):
            header.write_text(changed, "utf-8")
            is_code = machine.compile("kernel.c", check=False)
            if is_code and (machine.folder / "kernel.o").read_bytes() != original:
                yield change, not Bench.is_right(machine, tasks)
        header.write_text(text, "utf-8")
    machine.compile("kernel.c")


def _task(arguments: tuple[str, int, int, int]) -> Report:
    name, *numbers = arguments
    return mutate(kernel_named(name), *numbers)


def table(reports: Sequence[Report]) -> str:
    """In Markdown, for docs/VERIFICATION.md."""
    rows = [
        "| family | kernel | what was changed | killed | equivalent | not reached | survived |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for report in reports:
        for block, tally in report.blocks.items():
            others = (tally.equivalent, len(tally.unreached), len(tally.survivors))
            numbers = " | ".join([f"{tally.killed} of {tally.total}", *map(str, others)])
            rows.append(f"| {report.family} | `{report.kernel}` | {block} | {numbers} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--mutants", type=int, default=20, help="of each block of assembly")
    parser.add_argument("--flips", type=int, default=8, help="bytes of each kind of table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="kernels at a time")
    parser.add_argument("--kernels", nargs="*", metavar="NAME", help="all if not given")
    parser.add_argument("--output", type=Path, help="where the table goes, too")
    options = parser.parse_args(arguments)
    names = options.kernels or [kernel.name for kernel in FAST_KERNELS]
    reports = []
    with ProcessPoolExecutor(options.jobs) as pool:
        tasks = [(name, options.seed, options.mutants, options.flips) for name in names]
        for report in pool.map(_task, tasks):
            reports.append(report)
            print(f"{report.kernel}: {report.seconds:.0f} s", flush=True)
            for block, tally in report.blocks.items():
                counts = f"{tally.killed} of {tally.total} killed, {len(tally.unreached)} not reached"
                print(f"    {block}: {counts}", flush=True)
                for change in tally.unreached:
                    print(f"        not reached: {change}", flush=True)
                for survivor in tally.survivors:
                    print(f"        survived: {survivor}", flush=True)
    print(table(reports))
    if options.output is not None:
        options.output.write_text(table(reports) + "\n", encoding="utf-8")
    return int(any(has_gap(block, tally) for report in reports for block, tally in report.blocks.items()))


def has_gap(block: str, tally: Tally) -> bool:
    """A changed instruction survives; or all changed bytes of a table do.

    Single bytes may: there is padding, and parameters that only the twin in C reads.
    """
    if block.startswith(("table", "parameters")):
        return bool(tally.survivors) and not tally.killed and not tally.equivalent
    return bool(tally.survivors)


if __name__ == "__main__":
    sys.exit(main())
