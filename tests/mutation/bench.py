"""One image of cases with all mutants of their functions, run once for each mutant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from elftools.elf.elffile import ELFFile

from mcu_quant.codegen.assembly import Assemblies, AssemblyFunction
from mcu_quant.errors import EngineFailedError
from mcu_quant.kernels.base import Assembly
from tests.kernels.machine import Machine, Task
from tests.mutation.attacks import SEGMENT_BYTES
from tests.ops.driver import reference

#: An instruction takes a nanosecond by the emulator's clock, which SysTick counts in: some 10 million.
_ICOUNT = ("-icount", "shift=0")
WATCHDOG_TICKS = 250_000
_SECONDS = 120.0


@dataclass(frozen=True)
class Mutant:
    """A changed function, at `symbol` in the image, or a byte of a table whose bits of `mask` are flipped.

    body: of the function as it was; "" for a table.
    """

    block: str
    change: str
    body: str
    symbol: str
    byte: int = 0
    mask: int = 1
    bytes: int = 1
    line: int = 0

    @property
    def is_table(self) -> bool:
        return self.body == ""


def originals_of(tasks: Sequence[Task]) -> list[AssemblyFunction]:
    """As images of those tasks have them."""
    assemblies = Assemblies("f")
    for task in tasks:
        for argument in task.call.arguments:
            if isinstance(argument, Assembly):
                assemblies.add(argument)
    return list(assemblies)


class Bench:
    """One image with all mutants, patched for each."""

    def __init__(
        self,
        machine: Machine,
        tasks: Sequence[Task],
        variants: Sequence[AssemblyFunction],
        watchdog_ticks: int = WATCHDOG_TICKS,
    ) -> None:
        self.machine, self._tasks = machine, tasks
        self._originals = originals_of(tasks)
        image = machine.image(tasks, variants, watchdog_ticks=watchdog_ticks, arena_align=SEGMENT_BYTES)
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
        image = machine.image(tasks, watchdog_ticks=WATCHDOG_TICKS)
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
            place = self._offset(self._address[mutant.symbol] + mutant.byte)
            for byte in range(place, place + mutant.bytes):
                patched[byte] ^= mutant.mask
        else:
            self._point_at(patched, mutant)
        image = self.machine.folder / "mutant.elf"
        image.write_bytes(patched)
        try:
            outputs = self.machine.run(image, self._tasks, timeout=_SECONDS, arguments=_ICOUNT)
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
        old = {self._word(f.symbol) for f in self._originals if f.source.body == mutant.body}
        start, end = (self._offset(self._address[name]) for name in ("cases", "case_count"))
        words = range(start, end, 4)
        for word in words:
            if bytes(patched[word : word + 4]) in old:
                patched[word : word + 4] = self._word(mutant.symbol)

    def _word(self, function: str) -> bytes:
        return (self._address[function] | 1).to_bytes(4, "little")

    def _offset(self, address: int) -> int:
        """In the file."""
        return next(
            offset + address - start
            for start, size, offset in self._segments
            if start <= address < start + size
        )
