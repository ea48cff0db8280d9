"""Four dot products at once on Cortex-M3: convolution windows and fully connected rows.

A word holds the weights of two output channels, low + (high << 16). Multiplied by an input it gives
both products, and two inputs' products fit the halves: |w0| + |w1| <= 255. With 0x8000 added, the
low half is not negative, so the high half is the high channel's share exactly. For two inputs:
    mla r, word0, x0, 0x8000;  mla r, word1, x1, r;  high += r asr #16;  both += r
and in the end low = both - (high << 16) - 0x8000 * (number of steps). C twin: mq_armv7m_dot_twin.

A window is `runs` runs of `run_length` bytes that lie run_step bytes apart. Inputs are read where they
are; nothing is expanded. The table has, for each four output channels, the words in order of use
(channels 0 and 1 of both inputs, channels 2 and 3), then Requantization.constants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.requantization import WORDS, Requantization, plan_requantization
from mcu_quant.kernels.base import Assembly, Constant

#: Thumb-2 with SMLAL, and loads of bytes at any address: all from Cortex-M3 on.
GUARD = "defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB >= 2"
#: Channels at once.
BLOCK = 4
#: Windows of no more inputs are unrolled whole; longer runs so many inputs at a time.
_UNROLLED_INPUTS, _CHUNK_INPUTS = 64, 32

#: Places on the stack, bytes from sp.
_OUTPUT, _X, _PIXELS, _PIXEL_STEP, _RUN_STEP, _TABLE_END, _TABLE, _RUNS, _CHUNKS, _FRAME = range(0, 40, 4)


@dataclass(frozen=True)
class Window:
    """runs x run_length inputs, and the table's order of them."""

    runs: int
    run_length: int

    @property
    def inputs(self) -> int:
        return self.runs * self.run_length

    @property
    def unrolled(self) -> bool:
        return self.inputs <= _UNROLLED_INPUTS

    @property
    def steps(self) -> list[tuple[int, ...]]:
        """Inputs that are multiplied and added together: pairs; a single one where a stretch is odd."""
        stretch = self.inputs if self.unrolled else self.run_length
        starts = range(0, self.inputs, stretch)
        return [
            tuple(range(first, min(first + 2, start + stretch)))
            for start in starts
            for first in range(start, start + stretch, 2)
        ]


@dataclass(frozen=True, eq=False)
class Dot:
    """One node's window, packed table and requantization."""

    window: Window
    channels: int
    table: np.ndarray
    requantization: Requantization

    def params(self) -> dict[str, int]:
        """The fields of mq_armv7m_dot_t that the node decides, after those that a call decides."""
        return {
            "runs": self.window.runs,
            "run_length": self.window.run_length,
            "output_channels": self.channels,
            "pairs_cross_runs": int(self.window.unrolled),
            **self.requantization.params(),
        }

    @property
    def constant(self) -> Constant:
        return Constant("table", self.table)

    @property
    def assembly(self) -> Assembly:
        window = self.window
        stem = f"dot_{window.runs}x{window.run_length}"
        body = "\n".join(_body(window, self.channels % BLOCK, self.requantization, self.channels))
        return Assembly(stem, body, GUARD, "mq_armv7m_dot_function_t", "mq_armv7m_dot_twin")


def plan_dot(node: BoundNode, window: Window, rows: IntArray) -> Dot | None:
    """None if it cannot be computed so. rows: int64 [output channels, window.inputs], the weights."""
    steps = window.steps
    magnitudes = np.abs(rows)
    if any(magnitudes[:, step].sum(axis=1).max() > 255 for step in steps):
        return None
    # The low channel of a pair has the offsets of all steps on top of its sum.
    extra = np.where(np.arange(len(rows)) % 2 == 0, 0x8000 * len(steps), 0)
    fold = bias_of(node) - node.input(0).zero_point * rows.sum(axis=1) - extra
    requantization = plan_requantization(node, fold, 128 * magnitudes.sum(axis=1) + extra)
    if requantization is None:
        return None
    return Dot(window, len(rows), _table(rows, steps, requantization.constants), requantization)


def bias_of(node: BoundNode) -> IntArray:
    bias = node.optional_input(2)
    if bias is None or bias.data is None:
        return np.zeros(node.output.shape[-1], np.int64)
    return bias.data.astype(np.int64)


def _table(rows: IntArray, steps: list[tuple[int, ...]], constants: np.ndarray) -> np.ndarray:
    channels = len(rows)
    padded = np.zeros((-(-channels // BLOCK) * BLOCK, rows.shape[1]), np.int64)
    padded[:channels] = rows
    words = (padded[0::2] + (padded[1::2] << 16)).astype(np.int32)  # [pairs of channels, inputs]
    # Of a step, first the low pair's words, then the high pair's.
    order = [(pair, k) for step in steps for pair in (0, 1) for k in step]
    pairs, inputs = (np.array(axis) for axis in zip(*order, strict=True))
    parts = []
    for block in range(0, len(padded), BLOCK):
        parts.append(words[block // 2 + pairs, inputs])
        parts.append(constants[block : min(block + BLOCK, channels)].reshape(-1))
    return np.concatenate(parts)


def dot_cycles(window: Window, pixels: int, channels: int, requantization_cycles: float) -> float:
    """Modelled: 20 for a step of two inputs, what ends a block, and loops."""
    blocks = -(-channels // BLOCK)
    loops = 0.0 if window.unrolled else window.runs * (10 + 8 * (window.run_length // _CHUNK_INPUTS))
    block = 20.0 * len(window.steps) + loops + 18 + BLOCK * (7 + requantization_cycles)
    return pixels * (blocks * block + 18)


def _body(window: Window, tail: int, requantization: Requantization, channels: int) -> list[str]:
    """r0 x, r1 table, r2 r3 both and high of channels 0 and 1, r4 r5 of 2 and 3, r6 0x8000."""
    blocks = -(-channels // BLOCK)
    return [
        "push {r4-r11, lr}",
        f"sub sp, #{_FRAME}",
        "ldm r3, {r4-r7}",  # mq_armv7m_dot_t: pixels, pixel_step, run_step, table_bytes
        f"strd r2, r0, [sp, #{_OUTPUT}]",
        f"strd r4, r5, [sp, #{_PIXELS}]",
        "add r7, r1, r7",
        f"strd r6, r7, [sp, #{_RUN_STEP}]",
        f"str r1, [sp, #{_TABLE}]",
        "mov r6, #0x8000",
        "1:",
        *(f"movs r{register}, #0" for register in range(2, 6)),
        *(_unrolled(window) if window.unrolled else _looped(window)),
        *_finish(tail, requantization, is_last=blocks == 1),
        f"add sp, #{_FRAME}",
        "pop {r4-r11, pc}",
    ]


def _unrolled(window: Window) -> list[str]:
    lines = []
    for step in window.steps:
        for index, k in enumerate(step):
            if k and k % window.run_length == 0:
                lines += [f"ldr r10, [sp, #{_RUN_STEP}]", "add r0, r0, r10"]
            lines.append(f"ldrsb r{8 + index}, [r0], #1")
        lines += _multiply(len(step))
    return lines


def _looped(window: Window) -> list[str]:
    chunks, rest = divmod(window.run_length, _CHUNK_INPUTS)
    lines = []
    if window.runs > 1:
        lines += [f"mov r8, #{window.runs}", f"str r8, [sp, #{_RUNS}]", "2:"]
    if chunks > 1:
        lines += [f"movw r8, #{chunks}", f"str r8, [sp, #{_CHUNKS}]", "3:"]
    if chunks:
        lines += _inputs(_CHUNK_INPUTS)
    if chunks > 1:
        lines += [f"ldr r8, [sp, #{_CHUNKS}]", "subs r8, #1", f"str r8, [sp, #{_CHUNKS}]", "bne 3b"]
    lines += _inputs(rest)
    if window.runs > 1:
        lines += [f"ldr r9, [sp, #{_RUN_STEP}]", f"ldr r8, [sp, #{_RUNS}]", "add r0, r0, r9"]
        lines += ["subs r8, #1", f"str r8, [sp, #{_RUNS}]", "bne 2b"]
    return lines


def _inputs(count: int) -> list[str]:
    lines = []
    for first in range(0, count, 2):
        taken = min(2, count - first)
        lines += [f"ldrsb r{8 + index}, [r0], #1" for index in range(taken)]
        lines += _multiply(taken)
    return lines


def _multiply(count: int) -> list[str]:
    """One step: r8 r9 inputs, r10-r12 and lr words, r7 the products."""
    words = ("r10", "r11", "r12", "lr")[: 2 * count]
    lines = [f"ldm r1!, {{{', '.join(words)}}}"]
    for (both, high), pair in zip((("r2", "r3"), ("r4", "r5")), (words[:count], words[count:]), strict=True):
        lines += [
            f"mla r7, {word}, r{8 + index}, {'r7' if index else 'r6'}" for index, word in enumerate(pair)
        ]
        lines += [f"add {high}, {high}, r7, asr #16", f"add {both}, {both}, r7"]
    return lines


def _finish(tail: int, requantization: Requantization, is_last: bool) -> list[str]:
    """Outputs of a block; then the next block, else the next pixel. tail: channels in the last block."""
    lines = [
        "sub r2, r2, r3, lsl #16",
        "sub r4, r4, r5, lsl #16",
        f"ldr r0, [sp, #{_OUTPUT}]",
    ]
    for index, register in enumerate(("r2", "r3", "r4", "r5")):
        lines.append("ldm r1!, {r8, r9, r10, r11}")
        lines += requantization.emit(register, ("r8", "r9", "r10", "r11"))
        lines.append(f"strb {register}, [r0], #1")
        if tail and index == tail - 1 and not is_last:
            lines += [f"ldr r8, [sp, #{_TABLE_END}]", "cmp r1, r8", "beq 4f"]
        if tail and index == tail - 1 and is_last:
            break
    lines += _next_block(tail, is_last)
    lines += [
        f"ldr r0, [sp, #{_X}]",
        f"ldrd r8, r9, [sp, #{_PIXELS}]",
        f"ldr r1, [sp, #{_TABLE}]",
        "add r0, r0, r9",
        f"str r0, [sp, #{_X}]",
        "subs r8, #1",
        f"str r8, [sp, #{_PIXELS}]",
        "bne 1b",
    ]
    return lines


def _next_block(tail: int, is_last: bool) -> list[str]:
    if is_last:
        return [f"str r0, [sp, #{_OUTPUT}]"]
    if tail:
        again = [f"str r0, [sp, #{_OUTPUT}]", f"ldr r0, [sp, #{_X}]", "b 1b"]
        return [*again, "4:", f"str r0, [sp, #{_OUTPUT}]"]
    return [
        f"str r0, [sp, #{_OUTPUT}]",
        f"ldr r0, [sp, #{_X}]",
        f"ldr r8, [sp, #{_TABLE_END}]",
        "cmp r1, r8",
        "bne 1b",
    ]


assert _FRAME == 36 and WORDS == 4
