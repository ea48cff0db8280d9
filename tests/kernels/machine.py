"""Kernels on a board's machine, forced onto any case: compiled once, called with sizes as data.

The generated library has every call compiled for its own sizes; here only tables, parameters and the
functions in assembly are a case's own, so that hundreds of cases go into an image in moments. The arena
goes to the machine whole and comes back whole: everything but the output and scratch must be as it was.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcu_quant.boards import Board
from mcu_quant.codegen.assembly import Assemblies, AssemblyFunction
from mcu_quant.codegen.project import C_FLAGS, LINK_FLAGS, render_sources
from mcu_quant.errors import EngineFailedError
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Activation, Argument, Assembly, Constant, Kernel, KernelCall
from mcu_quant.verify.qemu import emulate
from tests.boards.models import deploy, tiny_model
from tests.kernel_harness import TEMPLATES, header_path, params_bytes, signatures
from tests.kernels.on_board import covering
from tests.ops.driver import Case, operands

_DRIVER = Path(__file__).with_name("driver.c")
_ARGUMENTS = 16
_FILL, _GUARD_BYTES = 0xA5, 16
#: Of an image, beside tables and functions.
_IMAGE_BYTES = 16_384


@dataclass(frozen=True)
class Task:
    """One case for one kernel, laid out in an arena of its own.

    addresses: of the node's activations; scratch: (address, bytes). arenas: uint8 [samples, arena
    bytes], before the call.
    """

    case: Case
    kernel: Kernel
    node: BoundNode
    call: KernelCall
    addresses: dict[str, int]
    scratch: tuple[int, int]
    arenas: np.ndarray

    @property
    def flash_bytes(self) -> int:
        """About."""
        tables = sum(a.data.nbytes for a in self.call.arguments if isinstance(a, Constant))
        lines = sum(a.body.count("\n") + 1 for a in self.call.arguments if isinstance(a, Assembly))
        return tables + 4 * lines + 512

    def output(self, arenas: np.ndarray) -> np.ndarray:
        """[samples, *shape] of arenas after the call."""
        return self._read(arenas, self.node.output)

    def states(self, arenas: np.ndarray) -> list[np.ndarray]:
        """What the run has left in the outputs behind the first."""
        return [self._read(arenas, tensor) for tensor in self.node.outputs[1:]]

    def _read(self, arenas: np.ndarray, tensor: Tensor) -> np.ndarray:
        start = self.addresses[tensor.name]
        raw = np.ascontiguousarray(arenas[:, start : start + tensor.bytes])
        return raw.view(tensor.dtype).reshape(len(raw), *tensor.shape)

    def is_rest_unchanged(self, arenas: np.ndarray) -> bool:
        """Whether only outputs and scratch were written."""
        rest = np.ones(self.arenas.shape[1], bool)
        written = [(self.addresses[tensor.name], tensor.bytes) for tensor in self.node.outputs]
        for address, size in (*written, self.scratch):
            rest[address : address + size] = False
        return np.array_equal(arenas[:, rest], self.arenas[:, rest])


def lay_out(case: Case, kernel: Kernel, *, turn: int | None = None, start: int = 0) -> Task:
    """turn: which of the inputs, of those that it may cover, the output covers; None for none.

    start: bytes of the arena before all of it, a multiple of 4.
    """
    node, arrays = operands(case)
    addresses = {} if turn is None else dict(covering(node, kernel, turn))
    tensors = {t.name: t for t in (*node.inputs, *node.outputs) if t is not None and not t.is_constant}
    end = max((_up(addresses[name] + tensors[name].bytes) for name in addresses), default=0) + _GUARD_BYTES
    addresses = {name: address + start + _GUARD_BYTES for name, address in addresses.items()}
    end += start + _GUARD_BYTES
    for name, tensor in tensors.items():
        if name not in addresses:
            addresses[name] = end
            end = _up(end + tensor.bytes) + _GUARD_BYTES
    scratch = (end, kernel.scratch_bytes(node))
    end = _up(end + scratch[1]) + _GUARD_BYTES
    return Task(
        case, kernel, node, kernel.call(node), addresses, scratch, _arenas(node, arrays, addresses, end)
    )


def _arenas(
    node: BoundNode, arrays: Sequence[np.ndarray | None], addresses: dict[str, int], size: int
) -> np.ndarray:
    inputs = [
        (tensor.name, array)
        for tensor, array in zip(node.inputs, arrays, strict=True)
        if tensor is not None and array is not None and not tensor.is_constant
    ]
    arenas = np.full((len(inputs[0][1]), size), _FILL, np.uint8)
    for name, array in inputs:
        raw = np.ascontiguousarray(array).reshape(len(array), -1).view(np.uint8)
        arenas[:, addresses[name] : addresses[name] + raw.shape[1]] = raw
    return arenas


def _up(address: int) -> int:
    return -(-address // 4) * 4


class Machine:
    """The board's machine with one C function of kernels, which many kernels may share.

    flags: after the board's own. folder: all sources, headers too, and what is made of them.
    """

    def __init__(self, board: Board, kernel: Kernel, *, flags: Sequence[str] = ("-O2",)) -> None:
        self.board = board
        self._temporary = tempfile.TemporaryDirectory(prefix="mcu_quant_machine_")
        self.folder = Path(self._temporary.name)
        self._flags = [*C_FLAGS, *board.cpu_flags, *flags]
        self._set_up(kernel)

    def _set_up(self, kernel: Kernel) -> None:
        files = {p.name: p.read_text("utf-8") for p in _headers(kernel.family)}
        files |= _board_files(self.board) | {
            f"mq_{kernel.function}.h": header_path(kernel).read_text("utf-8")
        }
        files |= {"driver.c": _DRIVER.read_text("utf-8"), "kernel.c": _wrapper(kernel)}
        for name, text in files.items():
            (self.folder / name).write_text(text, "utf-8")
        self._sources = [name for name in files if name.endswith(".c")]
        for source in self._sources:
            self.compile(source)

    def compile(self, source: str, *, check: bool = True) -> bool:
        """Whether the compiler took it."""
        return self._gcc(*self._flags, "-I.", "-c", source, check=check).returncode == 0

    def _gcc(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = ["arm-none-eabi-gcc", *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, f"{' '.join(command)}\n{done.stderr[:3000]}"
        return done

    def image(
        self,
        tasks: Sequence[Task],
        variants: Sequence[AssemblyFunction] = (),
        *,
        watchdog_ticks: int = 0,
        arena_align: int = 16,
    ) -> Path:
        """An image with those tasks. variants: other functions that are to be in it.

        watchdog_ticks: of SysTick, that a call may take; only with QEMU's -icount are they the same
        whatever else the computer does. arena_align: of the arena's address, in bytes.
        """
        lines = _text(tasks, self.folder / "tables.bin", variants, watchdog_ticks, arena_align)
        self.assemble("cases", [*lines])
        objects = [source.replace(".c", ".o") for source in (*self._sources, "cases.c")]
        self._gcc(*self.board.cpu_flags, *LINK_FLAGS, "-T", "linker.ld", *objects, "-o", "cases.elf")
        return self.folder / "cases.elf"

    def assemble(self, name: str, lines: Sequence[str], *, check: bool = True) -> str:
        """<name>.o of an assembly file; returns what the assembler said."""
        (self.folder / f"{name}.S").write_text("\n".join(lines) + "\n", "utf-8")
        return self._gcc(*self.board.cpu_flags, "-c", f"{name}.S", check=check).stderr

    def run(
        self, image: Path, tasks: Sequence[Task], *, timeout: float = 60.0, arguments: Sequence[str] = ()
    ) -> list[np.ndarray]:
        """Each task's arenas after the calls. Raises EngineFailedError if the machine hangs or faults.

        arguments: QEMU's, beside the board's.
        """
        with tempfile.TemporaryDirectory(prefix="mcu_quant_machine_") as name:
            folder = Path(name)
            (folder / "inputs.bin").write_bytes(b"".join(task.arenas.tobytes() for task in tasks))
            outputs = folder / "outputs.bin"
            outputs.touch()
            emulate(self.board, image, folder, timeout=timeout, arguments=arguments, progress=outputs)
            data = np.frombuffer(outputs.read_bytes(), np.uint8)
        ends = np.cumsum([task.arenas.size for task in tasks])
        if len(data) != ends[-1]:
            raise EngineFailedError(
                "the image must give an arena for every call", value=f"{len(data)} bytes of {ends[-1]}"
            )
        return [
            part.reshape(t.arenas.shape) for part, t in zip(np.split(data, ends[:-1]), tasks, strict=True)
        ]

    def fits(self, task: Task) -> bool:
        return (
            task.arenas.shape[1] + self.board.stack_bytes + 512 <= self.board.ram_bytes
            and task.flash_bytes + _IMAGE_BYTES <= self.board.flash_bytes
        )

    def groups(self, tasks: Sequence[Task], most: int = 256) -> Iterator[list[Task]]:
        """Tasks that fit one image."""
        group: list[Task] = []
        used = _IMAGE_BYTES
        for task in tasks:
            assert self.fits(task), task.case.name
            if group and (used + task.flash_bytes > self.board.flash_bytes or len(group) == most):
                yield group
                group, used = [], _IMAGE_BYTES
            group.append(task)
            used += task.flash_bytes
        if group:
            yield group


def _headers(family: str) -> list[Path]:
    return [*sorted(TEMPLATES.glob("*.h")), *sorted((TEMPLATES / family).glob("mq_*.h"))]


def _board_files(board: Board) -> dict[str, str]:
    """Start-up, port and linker script, as a project has them."""
    files = render_sources(board, [deploy(tiny_model(), board)], ())
    return {name.removeprefix("board/"): text for name, text in files.items() if name.startswith("board/")}


def _wrapper(kernel: Kernel) -> str:
    """The kernel's function with external linkage."""
    signature = signatures()[kernel.function]
    names = ", ".join(argument.split("*")[-1].strip() for argument in signature.arguments)
    prototype = f"void kernel({', '.join(signature.arguments)})"
    lines = [
        f'#include "mq_{kernel.function}.h"',
        f"{prototype};",
        f"{prototype} {{ mq_{kernel.function}({names}); }}",
    ]
    return "\n".join(lines) + "\n"


def _text(
    tasks: Sequence[Task],
    blob: Path,
    variants: Sequence[AssemblyFunction],
    watchdog_ticks: int,
    arena_align: int,
) -> Iterator[str]:
    """The assembly file of an image: functions, tables, the list of cases, the arena."""
    functions, data = Assemblies("f"), bytearray()
    tables: list[str] = []
    records: list[str] = []
    for index, task in enumerate(tasks):
        params = _table(f"t{index}", params_bytes(task.kernel, task.call), 8, data, tables)
        words = [params]
        for place, argument in enumerate(task.call.arguments):
            words.append(_word(task, argument, f"t{index}_{place}", functions, data, tables))
        assert len(words) <= _ARGUMENTS
        words += ["0"] * (_ARGUMENTS - len(words))
        samples, arena_bytes = task.arenas.shape
        records += [f"case_{index}:", f".word kernel, {', '.join(words)}, {arena_bytes}, {samples}"]
    blob.write_bytes(data)
    yield ".syntax unified\n.thumb"
    for function in [*functions, *variants]:
        yield from function_text(function)
    yield from ['.section .rodata.tables, "a"', *tables]
    yield from ['.section .rodata.cases, "a"', ".balign 4", ".global cases", "cases:", *records]
    yield from [".global case_count, watchdog_ticks", f"case_count: .word {len(tasks)}"]
    yield f"watchdog_ticks: .word {watchdog_ticks}"
    # So that the linker keeps them.
    yield from (f".word {function.symbol}" for function in variants)
    yield from [".bss", f".balign {arena_align}", ".global arena", "arena:"]
    yield f".space {max(task.arenas.shape[1] for task in tasks)}"
    yield from [".balign 4", "preserved: .space 40"]


def function_text(function: AssemblyFunction) -> list[str]:
    """The function, reached through a call that checks what it must preserve."""
    symbol = function.symbol
    return [
        f"#if {function.source.guard}",
        *_begin(symbol),
        *(line.replace("BODY", f"{symbol}_body") for line in _CHECKED_CALL),
        *_begin(f"{symbol}_body"),
        *function.lines,
        *_BEHIND,
        "#endif",
    ]


def _begin(symbol: str) -> list[str]:
    section = f'.section .text.{symbol}, "ax", %progbits'
    return [section, ".balign 4", f".type {symbol}, %function", ".thumb_func", f"{symbol}:"]


#: Behind a function: read as a literal, it is no place to write to unnoticed.
_BEHIND = (".balign 4", ".word -8")
#: r4-r11, sp and the return address are kept in `preserved`, compared after the call, and a difference is a
#: fault. Armv6-M code, for all cores; the stack stays as it is, for there may be arguments on it.
_CHECKED_CALL = (
    *("mov ip, r0", "ldr r0, 9f", "stm r0!, {r4-r7}"),
    *("mov r4, r8", "mov r5, r9", "mov r6, r10", "mov r7, r11", "stm r0!, {r4-r7}"),
    *("mov r4, sp", "mov r5, lr", "stm r0!, {r4, r5}", "subs r0, #40", "ldm r0!, {r4-r7}"),
    *("mov r0, ip", "bl BODY", "ldr r0, 9f"),
    *("ldm r0!, {r1-r3}", "cmp r1, r4", "bne 8f", "cmp r2, r5", "bne 8f", "cmp r3, r6", "bne 8f"),
    *("ldm r0!, {r1-r3}", "cmp r1, r7", "bne 8f", "cmp r2, r8", "bne 8f", "cmp r3, r9", "bne 8f"),
    *("ldm r0!, {r1-r3}", "cmp r1, r10", "bne 8f", "cmp r2, r11", "bne 8f", "cmp r3, sp", "bne 8f"),
    *("ldr r1, [r0]", "bx r1", "8:", "udf #0", ".balign 4", "9:", ".word preserved"),
)


def _table(symbol: str, content: bytes, align: int, data: bytearray, tables: list[str]) -> str:
    tables += [f".balign {align}", f'{symbol}: .incbin "tables.bin", {len(data)}, {len(content)}']
    data += content
    return symbol


def _word(
    task: Task, argument: Argument, symbol: str, functions: Assemblies, data: bytearray, tables: list[str]
) -> str:
    """An argument, as a word; tables have no more alignment than C gives them."""
    if isinstance(argument, Assembly):
        return functions.add(argument)
    if isinstance(argument, Constant):
        content = np.ascontiguousarray(argument.data)
        return _table(symbol, content.tobytes(), content.dtype.itemsize, data, tables)
    if isinstance(argument, Activation):
        tensor = next(t for t in (*task.node.inputs, *task.node.outputs) if t and t.name == argument.tensor)
        if tensor.data is not None:
            return _table(symbol, tensor.data.tobytes(), tensor.data.dtype.itemsize, data, tables)
        return f"arena + {task.addresses[argument.tensor]}"
    address, size = task.scratch
    return f"arena + {address}" if size else "0"
