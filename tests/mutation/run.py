"""`make mutate`: change an instruction or a byte of a table, and see whether a few cases notice on QEMU.

    python tools/mutate.py --mutants 20 --seed 0 --kernels add_s8_dsp --jobs 2

All mutants of a kernel's functions are in one image beside the originals; a mutant runs when the words of
the cases that point at the original point at it. A changed table is the image with another byte. A
mutant that hangs (a watchdog counts instructions), faults, or changes a byte of an output or beside it
is killed; one that does nothing of this survives. Survivors are in equivalent.py with the reason, or
are a gap in the cases.
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
from pathlib import Path

import numpy as np
from elftools.elf.elffile import ELFFile

from mcu_quant.boards import load_board
from mcu_quant.codegen.assembly import Assemblies, AssemblyFunction
from mcu_quant.errors import EngineFailedError
from mcu_quant.kernels.base import Assembly, Constant, Kernel
from tests.kernel_harness import params_bytes
from tests.kernels.machine import Machine, Task, function_text, lay_out
from tests.kernels.prove import BOARDS
from tests.kernels.random_cases import FAST_KERNELS, kernel_named, random_cases
from tests.mutation.equivalent import reason_of
from tests.mutation.mutants import Change, inline_changes, random_change, with_fault
from tests.mutation.tuned import has_weights, sibling, tells, tuned
from tests.ops.driver import Case, reference

#: Shapes that mutants are run on, and hard cases beside them.
SHAPES, HARD_CASES = 8, 4
#: Outputs of a case, of all its random inputs: with weights, and without.
_OUTPUTS = (4_000, 40_000)
CASES_SEED = 77
#: An instruction takes a nanosecond by the emulator's clock, which SysTick counts in: some 10 million.
_ICOUNT = ("-icount", "shift=0")
_WATCHDOG_TICKS = 250_000
_SECONDS = 120.0
_DRAWS = 20


@dataclass(frozen=True)
class Mutant:
    """A changed function, at `symbol` in the image, or a byte of a table whose bits of `mask` are flipped."""

    block: str
    change: str
    original: str
    symbol: str
    byte: int = 0
    mask: int = 1
    line: int = 0

    @property
    def is_table(self) -> bool:
        return self.original == ""


@dataclass
class Tally:
    """Of one block: a function's type in C, or a table's label."""

    killed: int = 0
    equivalent: int = 0
    unreached: int = 0
    survivors: list[str] = field(default_factory=list)

    def count(self, noticed: bool, block: str, change: str) -> None:
        if noticed:
            self.killed += 1
        elif reason_of(block, change) is not None:
            self.equivalent += 1
        else:
            self.survivors.append(change)

    @property
    def total(self) -> int:
        return self.killed + self.equivalent + self.unreached + len(self.survivors)


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
    bench = Bench(
        machine, tasks, [f for function, mutant in changed for f in (function, _probe(function, mutant.line))]
    )
    for _, mutant in changed:
        tally, noticed = report.blocks[mutant.block], bench.notices(mutant)
        if not noticed and not bench.reaches(mutant):
            tally.unreached += 1
        else:
            tally.count(noticed, mutant.block, mutant.change)
    for mutant in _flips(tuned_tasks, rng, flips):
        # A low bit may be too little for an output to differ; the whole byte is not, unless nobody reads it.
        noticed = bench.notices(mutant) or bench.notices(replace(mutant, mask=0xFF))
        report.blocks[mutant.block].count(noticed, mutant.block, mutant.change)
    for change, noticed in _inline(machine, kernel, tasks):
        report.blocks["inline assembly"].count(noticed, "inline assembly", change)
    report.seconds = time.monotonic() - begin
    return report


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


def _with_samples(case: Case) -> Case:
    outputs = _OUTPUTS[0 if has_weights(case) else 1]
    return replace(case, samples=int(np.clip(outputs // case.node().output.elements, 8, 200)))


def _functions(
    tasks: Sequence[Task], rng: np.random.Generator, count: int, machine: Machine
) -> list[tuple[AssemblyFunction, Mutant]]:
    """`count` mutants of the functions of each type; those are named as in the image."""
    assemblies = Assemblies("f")
    for task in tasks:
        for argument in task.call.arguments:
            if isinstance(argument, Assembly):
                assemblies.add(argument)
    originals = list(assemblies)
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
        mutant = Mutant(block, f"{function.symbol[2:]}, {change}", function.symbol, symbol, line=change.line)
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
    return [(f, mutant) for f, mutant in drawn if code[f"{f.symbol}_body"] != code[f"{mutant.original}_body"]]


def _flips(tasks: Sequence[Task], rng: np.random.Generator, count: int) -> Iterator[Mutant]:
    """`count` random bytes of all tables of a label, and low bytes of parameters."""
    places: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for index, task in enumerate(tasks):
        size = len(params_bytes(task.kernel, task.call))
        places["parameters"].append((f"t{index}", size, 4))
        for place, argument in enumerate(task.call.arguments):
            if isinstance(argument, Constant):
                places[f"table: {argument.label}"].append((f"t{index}_{place}", argument.data.nbytes, 1))
    for block, tables in places.items():
        for _ in range(count):
            symbol, size, step = tables[int(rng.integers(len(tables)))]
            byte = int(rng.integers(size // step)) * step
            yield Mutant(block, f"{symbol}, byte {byte} of {size}", "", symbol, byte)


def _inline(machine: Machine, kernel: Kernel, tasks: Sequence[Task]) -> Iterator[tuple[str, bool]]:
    """Each opcode of mq_dsp.h that the kernel's C uses, changed, and whether the cases notice."""
    header = machine.folder / "mq_dsp.h"
    if not header.exists():
        return
    text = header.read_text("utf-8")
    original = (machine.folder / "kernel.o").read_bytes()
    for change, changed in inline_changes(text):
        header.write_text(changed, "utf-8")
        machine.compile("kernel.c")
        if (machine.folder / "kernel.o").read_bytes() != original:
            yield change, not Bench.is_right(machine, tasks)
    header.write_text(text, "utf-8")
    machine.compile("kernel.c")


class Bench:
    """One image with all mutants, patched for each."""

    def __init__(self, machine: Machine, tasks: Sequence[Task], variants: Sequence[AssemblyFunction]) -> None:
        self._machine, self._tasks = machine, tasks
        image = machine.image(tasks, variants, watchdog_ticks=_WATCHDOG_TICKS)
        self._image = image.read_bytes()
        with image.open("rb") as stream:
            elf = ELFFile(stream)
            table = elf.get_section_by_name(".symtab")
            self._address = {s.name: s["st_value"] for s in table.iter_symbols() if s.name}
            self._segments = [
                (s["p_vaddr"], s["p_filesz"], s["p_offset"])
                for s in elf.iter_segments()
                if s["p_type"] == "PT_LOAD"
            ]
        self._expected = machine.run(image, tasks, timeout=_SECONDS, arguments=_ICOUNT)
        for task, arenas in zip(tasks, self._expected, strict=True):
            assert np.array_equal(task.output(arenas), reference(task.case)[0]), task.case.name
            assert task.is_rest_unchanged(arenas), task.case.name

    @staticmethod
    def is_right(machine: Machine, tasks: Sequence[Task]) -> bool:
        """Whether the machine as it is compiled gives the reference's bytes, and writes nothing else."""
        image = machine.image(tasks, watchdog_ticks=_WATCHDOG_TICKS)
        try:
            outputs = machine.run(image, tasks, timeout=_SECONDS, arguments=_ICOUNT)
        except EngineFailedError:
            return False
        return all(
            np.array_equal(task.output(arenas), reference(task.case)[0]) and task.is_rest_unchanged(arenas)
            for task, arenas in zip(tasks, outputs, strict=True)
        )

    def notices(self, mutant: Mutant) -> bool:
        patched = bytearray(self._image)
        if mutant.is_table:
            patched[self._offset(self._address[mutant.symbol] + mutant.byte)] ^= mutant.mask
        else:
            self._point_at(patched, mutant)
        image = self._machine.folder / "mutant.elf"
        image.write_bytes(patched)
        try:
            outputs = self._machine.run(image, self._tasks, timeout=_SECONDS, arguments=_ICOUNT)
        except EngineFailedError:
            return True
        return any(
            not np.array_equal(task.output(arenas), task.output(expected))
            or not task.is_rest_unchanged(arenas)
            for task, arenas, expected in zip(self._tasks, outputs, self._expected, strict=True)
        )

    def reaches(self, mutant: Mutant) -> bool:
        """Whether a case runs the changed instruction."""
        return self.notices(replace(mutant, symbol=f"{mutant.symbol}_probe"))

    def _point_at(self, patched: bytearray, mutant: Mutant) -> None:
        """The mutant in place of the original, in every case's record."""
        old, new = ((self._address[s] | 1).to_bytes(4, "little") for s in (mutant.original, mutant.symbol))
        start, end = (self._offset(self._address[name]) for name in ("cases", "case_count"))
        words = range(start, end, 4)
        found = [word for word in words if patched[word : word + 4] == old]
        assert found, mutant
        for word in found:
            patched[word : word + 4] = new

    def _offset(self, address: int) -> int:
        """In the file."""
        return next(
            offset + address - start
            for start, size, offset in self._segments
            if start <= address < start + size
        )


def _task(arguments: tuple[str, int, int, int]) -> Report:
    name, *numbers = arguments
    return mutate(kernel_named(name), *numbers)


def table(reports: Sequence[Report]) -> str:
    """In Markdown, for docs/VERIFICATION.md."""
    rows = [
        "| family | kernel | what was changed | killed | equivalent | survived |",
        "|---|---|---|--:|--:|--:|",
    ]
    for report in reports:
        for block, tally in report.blocks.items():
            others = (tally.equivalent, tally.unreached, len(tally.survivors))
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
                print(
                    f"    {block}: {tally.killed} of {tally.total} killed, {tally.unreached} not reached",
                    flush=True,
                )
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
        return not tally.killed and not tally.equivalent
    return bool(tally.survivors)


if __name__ == "__main__":
    sys.exit(main())
