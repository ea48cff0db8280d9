"""`make prove`: every kernel of the cores' families on thousands of random cases, on the host and on QEMU.

    python -m tests.kernels.prove --cases 2000 --seed 0 --kernels add_s8_dsp --jobs 2

Each case has four inputs or more: the extremes, mixed extremes and random values. On the host the kernel's C
twin computes it, and again with the output over the input at exactly the distance that the kernel
states; on QEMU the assembly does, every second case with that overlap. Any byte that differs from the
reference is reported with the case's name, and makes the exit code 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from mcu_quant.boards import load_board
from mcu_quant.kernels.base import Kernel
from tests.kernel_harness import run_kernel
from tests.kernels.machine import Machine, Task, lay_out
from tests.kernels.random_cases import FAST_KERNELS, kernel_named, random_cases
from tests.ops.driver import Case, may_overlap, operands, reference

#: The machine on which a family is proved.
BOARDS = {
    "armv7m": "mps2_an385",
    "thumb1": "mps2_an385_m0plus",
    "dsp": "mps2_an386",
    "mve": "mps3_an547",
}
#: Others, with fewer cases, of those that fit.
MORE_BOARDS = {"thumb1": ("microbit",), "dsp": ("mps2_an500", "mps2_an505")}
#: Cases that are checked together: as many as go into an image, a few times.
_BATCH = 256
#: Of a board's RAM, what one case may take.
_RAM_SHARE = 0.5


@dataclass
class Count:
    """What was computed of one kernel. board: cases by board's name."""

    kernel: str
    family: str
    host: int = 0
    board: dict[str, int] = field(default_factory=dict)
    mismatches: list[str] = field(default_factory=list)
    seconds: float = 0.0


def prove(kernel: Kernel, seed: int, cases: int, more: int) -> Count:
    """Host and family's board on the same `cases` cases; `more` on the family's other boards."""
    count, begin = Count(kernel.name, kernel.family), time.monotonic()
    machine = Machine(load_board(BOARDS[kernel.family]), kernel)
    for tasks in batches(kernel, random_cases(kernel, seed, cases)):
        on_host(tasks, count)
        on_machine(machine, tasks, count)
    for name in MORE_BOARDS.get(kernel.family, ()) if more else ():
        other = Machine(load_board(name), kernel)
        limit = int(_RAM_SHARE * other.board.ram_bytes)
        for tasks in batches(kernel, random_cases(kernel, seed + 1, more, most_bytes=limit)):
            on_machine(other, tasks, count)
    count.seconds = time.monotonic() - begin
    return count


def on_host(tasks: Sequence[Task], count: Count) -> None:
    for task in tasks:
        _, arrays = operands(task.case)
        expected = reference(task.case)
        for overlapped in (False, True) if may_overlap(task.kernel, task.node) else (False,):
            actual = run_kernel(task.kernel, task.node, arrays, overlapped=overlapped, call=task.call)
            if not all(map(np.array_equal, actual, expected)):
                count.mismatches.append(f"{task.case.name} on the host, overlapped: {overlapped}")
    count.host += len(tasks)


def on_machine(machine: Machine, tasks: Sequence[Task], count: Count) -> None:
    name = machine.board.name
    for group in machine.groups(tasks):
        arenas = machine.run(machine.image(group), group)
        for task, after in zip(group, arenas, strict=True):
            actual = (task.output(after), *task.states(after))
            if not all(map(np.array_equal, actual, reference(task.case))):
                count.mismatches.append(f"{task.case.name} on {name}")
            elif not task.is_rest_unchanged(after):
                count.mismatches.append(f"{task.case.name} on {name}: bytes beside the output changed")
    count.board[name] = count.board.get(name, 0) + len(tasks)


def batches(kernel: Kernel, cases: Iterable[Case]) -> Iterator[list[Task]]:
    """Every second task has its output over each of the inputs in turn that the kernel lets it cover."""
    remaining = enumerate(cases)
    while batch := list(islice(remaining, _BATCH)):
        yield [lay_out(case, kernel, turn=index // 2 if index % 2 else None) for index, case in batch]


def _task(arguments: tuple[str, int, int, int]) -> Count:
    name, *numbers = arguments
    return prove(kernel_named(name), *numbers)


def table(counts: Sequence[Count]) -> str:
    """In Markdown, for docs/VERIFICATION.md."""
    rows = ["| family | kernel | host | QEMU | mismatches |", "|---|---|--:|---|--:|"]
    for c in counts:
        boards = ", ".join(f"{name} {number}" for name, number in c.board.items())
        rows.append(f"| {c.family} | `{c.kernel}` | {c.host} | {boards} | {len(c.mismatches)} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--cases", type=int, default=2000, help="for each kernel, on the host and on its board"
    )
    parser.add_argument("--more", type=int, default=200, help="on each other board of the family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="kernels at a time")
    known = [kernel.name for kernel in FAST_KERNELS]
    parser.add_argument("--kernels", nargs="*", choices=known, metavar="NAME", help="all if not given")
    parser.add_argument("--output", type=Path, help="where the table goes, too")
    options = parser.parse_args(arguments)
    names = options.kernels or known
    tasks = [(name, options.seed, options.cases, options.more) for name in names]
    counts = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for count in pool.map(_task, tasks):
            counts.append(count)
            shown = ", ".join(f"{number} on {name}" for name, number in count.board.items())
            print(f"{count.kernel}: {count.host} on the host, {shown}; {count.seconds:.0f} s", flush=True)
            for mismatch in count.mismatches:
                print(f"    differs: {mismatch}", flush=True)
    print(table(counts))
    if options.output is not None:
        options.output.write_text(table(counts) + "\n", encoding="utf-8")
    return int(any(count.mismatches for count in counts))


if __name__ == "__main__":
    sys.exit(main())
