"""Four dot products at once on Cortex-M3: convolution windows and fully connected rows.

A word holds the weights of two output channels, low + (high << 16). Multiplied by an input it gives
both products, and those of a few inputs fit the halves: as many as have sum |w| <= 255, two at least.
With 0x8000 added, the low half is not negative, so the high half is the high channel's share exactly:
    mla r, word0, x0, 0x8000;  mla r, word1, x1, r;  ...;  high += r asr #16;  both += r
and in the end low = both - (high << 16) - 0x8000 * (number of groups). C twin: mq_armv7m_dot_twin.

A window is `runs` runs of `run_length` bytes that lie run_step bytes apart. Inputs are read where they
are; nothing is expanded. The table has, for each four output channels, two words for each input
(channels 0 and 1, channels 2 and 3), then Requantization.constants.

Where flash matters, weights stay bytes (a word for each input of four channels) and each product is
added to a sum of its own: 14 modelled cycles for four products, not 9 or 10.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.requantization import WORDS, Requantization, plan_requantization
from mcu_quant.kernels.assembly_cycles import loop_cycles
from mcu_quant.kernels.base import Assembly, Constant, Core

#: Thumb-2 with SMLAL, and loads of bytes at any address: all from Cortex-M3 on.
GUARD = "defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB >= 2"
#: Channels at once.
BLOCK = 4
#: Inputs whose products may be added in one word, best first; the last is right for any weights.
GROUPS = (8, 6, 4, 3, 2)
#: The group of weights that stay bytes.
BYTES = 1
#: Windows of no more inputs are unrolled whole; longer runs some inputs at a time.
_UNROLLED_INPUTS, _UNROLLED_BYTES = 64, 16

#: Places on the stack, bytes from sp.
_OUTPUT, _X, _PIXELS, _PIXEL_STEP, _RUN_STEP, _TABLE_END, _TABLE, _RUNS, _CHUNKS, _FRAME = range(0, 40, 4)


@dataclass(frozen=True)
class Window:
    """runs x run_length inputs; the products of `group` inputs are added in one word."""

    runs: int
    run_length: int
    group: int = GROUPS[-1]

    @property
    def inputs(self) -> int:
        return self.runs * self.run_length

    @property
    def is_unrolled(self) -> bool:
        return self.inputs <= (_UNROLLED_BYTES if self.is_bytes else _UNROLLED_INPUTS)

    @property
    def is_bytes(self) -> bool:
        return self.group == BYTES

    @property
    def chunk(self) -> int:
        """Inputs that a loop over a run takes at a time."""
        if self.is_bytes:
            return _UNROLLED_BYTES
        return 30 if self.group % 3 == 0 else 32

    @property
    def low_start(self) -> int:
        """What the lower channel's sum of a word has more than its products."""
        return 0 if self.is_bytes else 0x8000 * len(self.groups)

    @property
    def groups(self) -> list[range]:
        """Inputs whose products are added in one word. A chunk begins a new group, and so does a run."""
        if self.is_unrolled:
            return _split(range(self.inputs), self.group)
        runs = [range(run * self.run_length, (run + 1) * self.run_length) for run in range(self.runs)]
        chunks = [chunk for run in runs for chunk in _split(run, self.chunk)]
        return [group for chunk in chunks for group in _split(chunk, self.group)]


def _split(inputs: range, size: int) -> list[range]:
    return [inputs[start : start + size] for start in range(0, len(inputs), size)]


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
            "low_start": self.window.low_start,
            **self.requantization.params(),
        }

    @property
    def constant(self) -> Constant:
        return Constant("table", self.table)

    @property
    def assembly(self) -> Assembly:
        window = self.window
        stem = f"dot_{window.runs}x{window.run_length}_by_{window.group}"
        body = "\n".join(_body(window, self.channels % BLOCK, self.requantization, self.channels))
        return Assembly(stem, body, GUARD, "mq_armv7m_dot_function_t", "mq_armv7m_dot_twin")


def plan_dot(node: BoundNode, runs: int, rows: IntArray, groups: tuple[int, ...] = GROUPS) -> Dot | None:
    """None if it cannot be computed so. rows: int64 [output channels, inputs], the weights."""
    windows = (Window(runs, rows.shape[1] // runs, group) for group in groups)
    window = next((window for window in windows if _fits(window, rows)), None)
    if window is None:
        return None
    # The low channel of a pair has the low starts of all groups on top of its sum.
    extra = np.where(np.arange(len(rows)) % 2 == 0, window.low_start, 0)
    fold = bias_of(node) - node.input(0).zero_point * rows.sum(axis=1) - extra
    requantization = plan_requantization(node, fold, 128 * np.abs(rows).sum(axis=1) + extra)
    if requantization is None:
        return None
    table = _table(rows, requantization.constants, window.is_bytes)
    return Dot(window, len(rows), table, requantization)


def _fits(window: Window, rows: IntArray) -> bool:
    """Whether the products of every group, for any inputs, fit 16 bits."""
    if window.is_bytes:
        return True
    starts = [group.start for group in window.groups]
    return int(np.add.reduceat(np.abs(rows), starts, axis=1).max()) <= 255


def bias_of(node: BoundNode) -> IntArray:
    bias = node.optional_input(2)
    if bias is None or bias.data is None:
        return np.zeros(node.output.shape[-1], np.int64)
    return bias.data.astype(np.int64)


def _table(rows: IntArray, constants: np.ndarray, is_bytes: bool) -> np.ndarray:
    channels = len(rows)
    padded = np.zeros((-(-channels // BLOCK) * BLOCK, rows.shape[1]), np.int64)
    padded[:channels] = rows
    if is_bytes:
        words = np.ascontiguousarray(
            padded.reshape(-1, BLOCK, rows.shape[1]).transpose(0, 2, 1).astype(np.int8)
        )
        words = words.view("<i4")[:, :, 0]  # [blocks, inputs]
    else:
        pairs = (padded[0::2] + (padded[1::2] << 16)).astype(np.int32)  # [pairs of channels, inputs]
        words = pairs.reshape(-1, 2, rows.shape[1]).transpose(0, 2, 1).reshape(len(padded) // BLOCK, -1)
    parts = []
    for block, block_words in enumerate(words):
        parts.append(block_words)
        parts.append(constants[block * BLOCK : min((block + 1) * BLOCK, channels)].reshape(-1))
    return np.concatenate(parts)


def dot_cycles(dot: Dot, pixels: int, core: Core) -> float:
    """Modelled, of the assembly."""
    window, is_last = dot.window, dot.channels <= BLOCK
    times = {2: window.runs, 3: window.runs * (window.run_length // window.chunk)}
    block = _block(window, dot.channels % BLOCK, dot.requantization, is_last)
    blocks = -(-dot.channels // BLOCK)
    return pixels * (blocks * loop_cycles(block, times, core) + loop_cycles(_next_pixel(), {}, core))


def _body(window: Window, tail: int, requantization: Requantization, channels: int) -> list[str]:
    """r0 x, r1 table, r2 r3 both and high of channels 0 and 1, r4 r5 of 2 and 3, r6 0x8000."""
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
        *_block(window, tail, requantization, is_last=channels <= BLOCK),
        *_next_pixel(),
        f"add sp, #{_FRAME}",
        "pop {r4-r11, pc}",
    ]


def _block(window: Window, tail: int, requantization: Requantization, is_last: bool) -> list[str]:
    """A block of channels of one pixel."""
    return [
        *(f"movs r{register}, #0" for register in range(2, 6)),
        *(_inputs(window, window.inputs) if window.is_unrolled else _looped(window)),
        *([] if window.is_bytes else ["sub r2, r2, r3, lsl #16", "sub r4, r4, r5, lsl #16"]),
        *_finish(tail, requantization, is_last),
    ]


def _looped(window: Window) -> list[str]:
    chunks, rest = divmod(window.run_length, window.chunk)
    lines = []
    if window.runs > 1:
        lines += [f"mov r8, #{window.runs}", f"str r8, [sp, #{_RUNS}]", "2:"]
    if chunks > 1:
        lines += [f"movw r8, #{chunks}", f"str r8, [sp, #{_CHUNKS}]", "3:"]
    if chunks:
        lines += _inputs(window, window.chunk)
    if chunks > 1:
        lines += [f"ldr r8, [sp, #{_CHUNKS}]", "subs r8, #1", f"str r8, [sp, #{_CHUNKS}]", "bne 3b"]
    lines += _inputs(window, rest)
    if window.runs > 1:
        lines += [f"ldr r9, [sp, #{_RUN_STEP}]", f"ldr r8, [sp, #{_RUNS}]", "add r0, r0, r9"]
        lines += ["subs r8, #1", f"str r8, [sp, #{_RUNS}]", "bne 2b"]
    return lines


def _inputs(window: Window, count: int) -> list[str]:
    return _inputs_of_bytes(window, count) if window.is_bytes else _inputs_of_pairs(window, count)


def _inputs_of_bytes(window: Window, count: int) -> list[str]:
    """r8 an input, r9 to r12 its weights; r2 to r5 the channels' sums."""
    lines = []
    for k in range(count):
        if k and k % window.run_length == 0:
            lines += [f"ldr r8, [sp, #{_RUN_STEP}]", "add r0, r0, r8"]
        lines.append("ldrsb r8, [r0], #1")
        lines += [f"ldrsb r{9 + i}, [r1, #{4 * k + i}]" for i in range(BLOCK)]
        lines += [f"mla r{2 + i}, r{9 + i}, r8, r{2 + i}" for i in range(BLOCK)]
    return [*lines, f"adds r1, #{4 * count}"] if count else []


def _inputs_of_pairs(window: Window, count: int) -> list[str]:
    """r8 an input; r10 r12 words of channels 0 and 1, r11 lr of 2 and 3; r7 r9 their products."""
    lines = []
    for k in range(count):
        if k % 2 == 0:
            lines.append("ldm r1!, {r10, r11, r12, lr}" if k + 1 < count else "ldm r1!, {r10, r11}")
        if k and k % window.run_length == 0:
            lines += [f"ldr r8, [sp, #{_RUN_STEP}]", "add r0, r0, r8"]
        words = ("r12", "lr") if k % 2 else ("r10", "r11")
        is_first, is_last = k % window.group == 0, (k + 1) % window.group == 0 or k + 1 == count
        lines += [
            "ldrsb r8, [r0], #1",
            f"mla r7, {words[0]}, r8, {'r6' if is_first else 'r7'}",
            f"mla r9, {words[1]}, r8, {'r6' if is_first else 'r9'}",
        ]
        if is_last:
            lines += ["add r3, r3, r7, asr #16", "add r2, r2, r7"]
            lines += ["add r5, r5, r9, asr #16", "add r4, r4, r9"]
    return lines


def _finish(tail: int, requantization: Requantization, is_last: bool) -> list[str]:
    """Outputs of a block; then the next block. tail: channels in the last block."""
    lines = [f"ldr r0, [sp, #{_OUTPUT}]"]
    for index, register in enumerate(("r2", "r3", "r4", "r5")):
        lines.append("ldm r1!, {r8, r9, r10, r11}")
        lines += requantization.emit(register, ("r8", "r9", "r10", "r11"))
        lines.append(f"strb {register}, [r0], #1")
        if tail and index == tail - 1 and not is_last:
            lines += [f"ldr r8, [sp, #{_TABLE_END}]", "cmp r1, r8", "beq 4f"]
        if tail and index == tail - 1 and is_last:
            break
    return lines + _next_block(tail, is_last)


def _next_pixel() -> list[str]:
    return [
        f"ldr r0, [sp, #{_X}]",
        f"ldrd r8, r9, [sp, #{_PIXELS}]",
        f"ldr r1, [sp, #{_TABLE}]",
        "add r0, r0, r9",
        f"str r0, [sp, #{_X}]",
        "subs r8, #1",
        f"str r8, [sp, #{_PIXELS}]",
        "bne 1b",
    ]


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
