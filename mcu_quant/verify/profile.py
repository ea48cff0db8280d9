"""What one inference costs on a board's machine: exact instructions, modelled cycles, stack, RAM and flash.

QEMU's -icount makes virtual time advance by 2**shift ns per instruction, so a free-running timer
counts instructions. At shift 10 one instruction is some ticks of every board's timer, so a difference
of two readings gives the count exactly, modulo a turn of the counter (some 10**8 instructions). A
second run at shift 5 is coarser and has 32 times the range: it says how often the counter wrapped,
and is a check at the same time. A third run, traced, says how often each block of code ran; cycles.py makes
cycles of it. Profiled are the very objects that the plain image is linked of.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from elftools.elf.elffile import ELFFile

from mcu_quant.boards import Board, Timer
from mcu_quant.codegen.project import pack_samples
from mcu_quant.deployment import Deployment
from mcu_quant.errors import EngineFailedError
from mcu_quant.verify.certificate import certify
from mcu_quant.verify.cycles import MODELS, Block, instructions_of, modelled_cycles
from mcu_quant.verify.disassembly import disassemble
from mcu_quant.verify.image import build_images, read_sizes, usage_files
from mcu_quant.verify.profile_report import NO_CYCLES, Figure, report, split_excess
from mcu_quant.verify.qemu import emulate
from mcu_quant.verify.trace import NoTraceError, trace_blocks

_FINE_SHIFT, _COARSE_SHIFT = 10, 5
#: By how many ticks the coarse count may be off: two readings, each to a tick, and their rounding.
_COARSE_TICKS = 3
#: And by so many instructions at least.
_COARSE_LEAST = 4
#: Functions of profile.c and the timer that surround what is measured.
_HARNESS = ("port_counter", "measure", "on_layer", "nothing")


@dataclass(frozen=True)
class Counts:
    """instructions: of <name>_invoke, from its first to its return. layers: of each layer, without the hook.

    What a hook and the step to the next layer take is about the same for each layer: the excess of a run
    with the hook over a plain run, shared out evenly. So layers add up to instructions exactly, and each is
    right to a few.
    """

    instructions: int
    layers: tuple[int, ...]
    stack_bytes: int
    outputs: bytes


@dataclass(frozen=True)
class Cycles:
    """Modelled cycles of <name>_invoke, and of each layer as in Counts."""

    cycles: int
    layers: tuple[int, ...]


def profile_on_qemu(
    deployment: Deployment,
    board: Board,
    inputs: Sequence[np.ndarray],
    *,
    timeout: float = 300.0,
    note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """The object that `profile --json` prints. inputs: raw [N, *shape]; sample 0 is run.

    note: told why modelled cycles are left out, if they are. Raises DoesNotFitError, ToolMissingError,
    EngineFailedError.
    """
    with tempfile.TemporaryDirectory(prefix="mcu_quant_") as text:
        folder = Path(text)
        program, profiler = build_images(board, deployment, ("main", "profile"), folder)
        (folder / f"{deployment.name}_inputs.bin").write_bytes(pack_samples([x[:1] for x in inputs]))
        counts = count_instructions(deployment, board, profiler, folder, timeout)
        try:
            cycles = model_cycles(board, profiler, folder, counts, timeout)
        except NoTraceError as reason:
            note(f"modelled_cycles are left out: {reason}")
            cycles = None
        certificate = certify(deployment, board, program, profiler, usage_files(folder))
        require_bound(deployment, board, counts.stack_bytes, certificate["stack_bound_bytes"])
        figures = (
            Figure("instructions", counts.instructions, counts.layers),
            NO_CYCLES if cycles is None else Figure("modelled_cycles", cycles.cycles, cycles.layers),
        )
        sizes = read_sizes(program)
        facts = report(deployment, board, figures, sizes, counts.stack_bytes, counts.outputs)
        return facts | {"certificate": certificate}


def require_bound(deployment: Deployment, board: Board, measured: int, bound: int) -> None:
    """The bound is proven from the image's code: a run that takes more shows that the proof is wrong."""
    if measured > bound:
        raise EngineFailedError(
            "no run may take more stack than its bound",
            layer=f"{deployment.name} on {board.name}",
            value=f"{measured} bytes measured, bound {bound}",
            hint="please report it, with the model",
        )


def count_instructions(
    deployment: Deployment, board: Board, image: Path, folder: Path, timeout: float
) -> Counts:
    """Run the profile image at both resolutions, in a folder that has its input file."""
    fine = _run_profiler(deployment, board, image, folder, _FINE_SHIFT, timeout)
    coarse = _run_profiler(deployment, board, image, folder, _COARSE_SHIFT, timeout)
    if fine.stack != coarse.stack or fine.outputs != coarse.outputs:
        raise EngineFailedError(
            "two runs of one image must agree", layer=f"{deployment.name} on {board.name}"
        )
    exact = [_exact(board.qemu_timer, a, b) for a, b in zip(fine.ticks, coarse.ticks, strict=True)]
    call, first, second, *hooked = exact
    if first != second:
        raise EngineFailedError(
            "two inferences of one input must take the same instructions",
            layer=f"{deployment.name} on {board.name}",
            value=f"{first} and {second}",
        )
    # A call of nothing executes one instruction, its return.
    instructions = first - call + 1
    return Counts(instructions, split_excess(instructions, hooked), max(fine.stack), fine.outputs)


def model_cycles(board: Board, image: Path, folder: Path, counts: Counts, timeout: float) -> Cycles:
    """Run the profile image once more, traced from one reading of the counter to the next.

    The readings are those of count_instructions, which must have counted the same. Raises NoTraceError.
    """
    ranges = _functions(image, _HARNESS)
    parts = trace_blocks(board, image, folder, mark=ranges["port_counter"].start, timeout=timeout)
    # Before the first reading; a call of nothing; between; twice an inference and between; layers; the end.
    layers = len(counts.layers)
    assert len(parts) == 8 + layers, len(parts)
    measured = [_outside(ranges.values(), part) for part in (parts[3], *parts[7 : 7 + layers])]
    code, model = disassemble(image), MODELS[board.core]
    traced = instructions_of(measured[0], code)
    if traced != counts.instructions:
        raise NoTraceError(f"{traced} instructions were traced and {counts.instructions} counted.")
    whole, *hooked = [modelled_cycles(part, code, model) for part in measured]
    return Cycles(whole, split_excess(whole, hooked))


def _functions(image: Path, names: Sequence[str]) -> dict[str, range]:
    """The addresses of functions in an image."""
    with image.open("rb") as stream:
        table: Any = ELFFile(stream).get_section_by_name(".symtab")
        symbols = {name: table.get_symbol_by_name(name)[0] for name in names}
        starts = {name: symbol["st_value"] & ~1 for name, symbol in symbols.items()}
        return {name: range(start, start + symbols[name]["st_size"]) for name, start in starts.items()}


def _outside(ranges: Iterable[range], blocks: Sequence[Block]) -> list[Block]:
    ranges = list(ranges)
    return [block for block in blocks if not any(block.first in covered for covered in ranges)]


@dataclass(frozen=True)
class _Readings:
    """ticks: of a call of nothing, of two whole inferences, of each layer with its hook; modulo a turn."""

    ticks: tuple[int, ...]
    stack: tuple[int, int]
    outputs: bytes


def _run_profiler(
    deployment: Deployment, board: Board, image: Path, folder: Path, shift: int, timeout: float
) -> _Readings:
    icount = ("-icount", f"shift={shift},align=off,sleep=off")
    emulate(board, image, folder, timeout=timeout, arguments=icount)
    words = np.fromfile(folder / "profile.bin", "<u4").astype(np.int64)
    layers, call, whole_0, stack_0, whole_1, stack_1 = words[:6].tolist()
    assert layers == len(deployment.graph.nodes) and len(words) == 6 + layers + 1
    turn = 2**board.qemu_timer.bits
    ticks = (*(reading % turn for reading in (call, whole_0, whole_1)), *(np.diff(words[6:]) % turn).tolist())
    return _Readings(ticks, (stack_0, stack_1), _same_outputs(deployment, folder))


def _same_outputs(deployment: Deployment, folder: Path) -> bytes:
    """The outputs of the three inferences, which must be one."""
    data = (folder / f"{deployment.name}_outputs.bin").read_bytes()
    size = len(data) // 3
    if size == 0 or data != 3 * data[:size]:
        raise EngineFailedError("inferences of one input must give the same bytes", layer=deployment.name)
    return data[:size]


def _exact(timer: Timer, fine: int, coarse: int) -> int:
    """Instructions between two readings: the number that both resolutions allow."""
    turn = 2**timer.bits
    fine_ticks = timer.hz * 2**_FINE_SHIFT / 1e9
    coarse_tick = 1e9 / (timer.hz * 2**_COARSE_SHIFT)
    coarse_count = coarse * coarse_tick
    turns = round((coarse_count * fine_ticks - fine) / turn)
    exact = round((fine + turns * turn) / fine_ticks)
    if abs(exact - coarse_count) > max(_COARSE_TICKS * coarse_tick, _COARSE_LEAST):
        raise EngineFailedError(
            "two runs of one image must count the same",
            value=f"{exact} and about {coarse_count:.0f} instructions",
        )
    return exact
