"""Dot products of some pixels with all output channels: the inner loop of the convolutions.

A pixel's window is `rows` runs of bytes, one in each row that a pointer is given for; a run is cut
into vectors of 16 bytes. Two output channels by four pixels make eight sums at once (`vmladava`).
The weights are one stream in the order in which they are used:
    for four channels: for each half of them: rows x vectors x 2 channels x 16 weights,
        then bias, bias, multiplier, multiplier, shift, shift (int32).
Registers: r1 the stream, r9 the output, q4 and q5 weights, q6 and q7 the results of channels 0, 2
and 1, 3 of four, q0 to q3 inputs; sums in r0 r2 r4 r6 and r8 r10 r12 lr.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Assembly
from mcu_quant.kernels.mve import cost, requantize
from mcu_quant.kernels.mve.requantize import GUARD, Output
from mcu_quant.kernels.mve.schedule import scheduled
from mcu_quant.ops.linear import channel_multipliers

VECTOR = 16
_SUMS = (("r0", "r2", "r4", "r6"), ("r8", "r10", "r12", "lr"))
_ROWS = ("r3", "r5", "r7")
_INPUTS = ("q0", "q1", "q2", "q3")
#: Above this many vectors per pixel the rows are a loop.
_UNROLLED = 36


@dataclass(frozen=True)
class Dots:
    """The shape of one inner loop; everything in bytes.

    pixels: 1 to 4, done at once. offsets: of the vectors in pixel 0's run, in the stream's order.
    vector_bytes: 16, or 8 where there are no more. aligned: every address is a multiple of 4.
    pixel_input, pixel_output: from one pixel to the next.
    """

    pixels: int
    channels: int
    rows: int
    offsets: tuple[int, ...]
    vector_bytes: int
    aligned: bool
    pixel_input: int
    pixel_output: int
    output: Output

    @property
    def rolled(self) -> bool:
        """The rows are a loop."""
        return self.rows > 1 and self.rows * len(self.offsets) > _UNROLLED

    @property
    def limit(self) -> int:
        """The largest offset that a load can have."""
        return 1020 if self.vector_bytes == 8 else 508 if self.aligned else 127

    @property
    def load(self) -> str:
        return "vldrw.u32" if self.aligned else "vldrb.u8"

    @property
    def spread(self) -> bool:
        """One row, far pixels: the pointers in r3, r5 and r7 are those of pixels 0, 1 and 2."""
        last = max(self.offsets) + max(self.pixels - 3, 0) * self.pixel_input
        return self.rows == 1 and self._reach > self.limit and last <= self.limit

    @property
    def in_registers(self) -> bool:
        """The rows' pointers stay in registers."""
        near = not self.rolled and self.rows <= len(_ROWS) and self._reach <= self.limit
        return near or self.spread

    @property
    def pointers(self) -> int:
        """How many registers point at inputs, if in_registers."""
        return min(self.pixels, len(_ROWS)) if self.spread else self.rows

    @property
    def _reach(self) -> int:
        return max(self.offsets) + (self.pixels - 1) * self.pixel_input

    @property
    def held(self) -> bool:
        """The inputs stay in registers for all channels."""
        return self.in_registers and self.rows == 1 and len(self.offsets) == 1 and self.output.rounds_up


def add(register: str, value: int, spare: str) -> list[str]:
    """register += value."""
    if value == 0:
        return []
    if value < 4096:
        return [f"add{'' if value < 256 else 'w'} {register}, {register}, #{value}"]
    return [*load(spare, value), f"add {register}, {register}, {spare}"]


def load(register: str, value: int) -> list[str]:
    """register = value."""
    value &= 0xFFFFFFFF
    code = [f"movw {register}, #{value & 0xFFFF}"]
    return code + ([f"movt {register}, #{value >> 16}"] if value >> 16 else [])


class _Inputs:
    """The input vectors in q0 to q3: what is loaded stays as long as it is of use."""

    def __init__(self, dots: Dots) -> None:
        self._dots = dots
        self.forget("")

    def forget(self, row: str) -> None:
        """Another row begins, its pointer is in register `row`."""
        self._row, self._moved = row, 0
        self._held: dict[str, int] = {}

    def vector(self, offset: int) -> tuple[list[str], list[str]]:
        """(loads, the register of each pixel) for the vectors at offset in each pixel's run."""
        dots = self._dots
        wanted = [offset + p * dots.pixel_input for p in range(dots.pixels)]
        code = []
        for address in wanted:
            if address not in self._held.values():
                register = next(q for q in _INPUTS if self._held.get(q) not in wanted)
                self._held[register] = address
                code += self._load(register, address)
        where = {address: register for register, address in self._held.items()}
        return code, [where[address] for address in wanted]

    def _load(self, register: str, address: int) -> list[str]:
        dots, code = self._dots, []
        if dots.spread:
            pixel = min(address // dots.pixel_input, dots.pointers - 1)
            return [f"{dots.load} {register}, [{_ROWS[pixel]}, #{address - pixel * dots.pixel_input}]"]
        if not 0 <= address - self._moved <= dots.limit:
            operation = "addw" if address > self._moved else "subw"
            code = [f"{operation} {self._row}, {self._row}, #{abs(address - self._moved)}"]
            self._moved = address
        place = f"[{self._row}, #{address - self._moved}]"
        if dots.vector_bytes == 8:
            return [*code, f"vldr d{2 * int(register[1:])}, {place}"]
        return [*code, f"{dots.load} {register}, {place}"]


def _two_channels(dots: Dots, half: str) -> list[str]:
    """Eight sums, scaled into the `half` of q6 and q7."""
    inputs, code, first = _Inputs(dots), [], set(_SUMS[0] + _SUMS[1])
    if dots.rolled:
        code += [f"mov {register}, #0" for pair in _SUMS for register in pair[: dots.pixels]]
        code += [f"mov r11, #{dots.rows}", "3:"]
        first = set()
    for row in range(1 if dots.rolled else dots.rows):
        register = _ROWS[row] if dots.in_registers else "r3"
        inputs.forget(register)
        if dots.rolled:
            code += ["ldr r3, [r5], #4", "add r3, r3, r7"]
        elif not dots.in_registers:
            code += [f"ldr r3, [r5, #{4 * row}]", "add r3, r3, r7"]
        for offset in dots.offsets:
            loads, registers = ([], list(_INPUTS[: dots.pixels])) if dots.held else inputs.vector(offset)
            code += loads
            for weights, sums in zip(("q4", "q5"), _SUMS, strict=True):
                code.append(f"vldrb.u8 {weights}, [r1], #16")
                for register, total in zip(registers, sums, strict=False):
                    code.append(f"vmladav{'' if total in first else 'a'}.s8 {total}, {register}, {weights}")
                    first.discard(total)
    if dots.rolled:
        code += ["subs r11, r11, #1", "bne 3b", f"sub r5, r5, #{4 * dots.rows}"]
    return code + _scaled(dots, half)


def _scaled(dots: Dots, half: str) -> list[str]:
    lanes = ("q4", "q5") if dots.held else ("q0", "q1")
    code = []
    for q, sums in zip(lanes, _SUMS, strict=True):
        s = [sums[min(p, dots.pixels - 1)] for p in range(4)]
        code += _lanes(q, s)
    code.append("ldm r1!, {r0, r2, r4, r6, r8, r10}")
    parts = []
    for q, spare, bias, multiplier, shift, target in (
        (lanes[0], "q2", "r0", "r4", "r8", "q6"),
        (lanes[1], "q3", "r2", "r6", "r10", "q7"),
    ):
        scaled, result = requantize.scale(q, spare, multiplier, shift, dots.output)
        narrowed = requantize.narrow(target, result, half, dots.output)
        parts.append([f"vadd.i32 {q}, {q}, {bias}", *scaled, narrowed])
    return code + [line for pair in zip(*parts, strict=True) for line in pair]


def _lanes(q: str, sums: list[str]) -> list[str]:
    """Four core registers into the lanes of q; `vmov` cannot read one register twice."""
    if len(set(sums)) == 1:
        return [f"vdup.32 {q}, {sums[0]}"]
    code = []
    for low, high in ((0, 2), (1, 3)):
        if sums[low] != sums[high]:
            code.append(f"vmov {q}[{high}], {q}[{low}], {sums[low]}, {sums[high]}")
        else:
            code += [f"vmov.32 {q}[{lane}], {sums[lane]}" for lane in (low, high)]
    return code


def _body_parts(dots: Dots) -> tuple[list[str], list[str], list[str], list[str]]:
    """(entry, start of a group of pixels, four channels, end of a group)."""
    entry = [
        "/* r0 rows, r1 output, r2 weights, r3 groups of pixels */",
        "push {r4-r11, lr}",
        "vpush {d8-d15}",
        "sub sp, sp, #36",
        "mov r4, #0",
        "vidup.u32 q6, r4, #1",
    ]
    if dots.pixels < 4:
        entry += [f"mov r4, #{dots.pixels - 1}", "vdup.32 q7, r4", "vmin.u32 q6, q6, q7"]
    entry += [*load("r4", dots.pixel_output), "vmul.i32 q6, q6, r4"]
    entry += ["/* sp: where the pixels' outputs are, 16: groups left, 20: weights, 24: output */"]
    entry += ["vstrw.32 q6, [sp]", "strd r3, r2, [sp, #16]", "str r1, [sp, #24]"]
    if dots.spread:
        entry += ["ldr r3, [r0]"]
        for near, far in pairwise(_ROWS[: dots.pointers]):
            entry += [f"mov {far}, {near}", *add(far, dots.pixel_input, "r4")]
    elif dots.in_registers:
        entry += [f"ldr {_ROWS[row]}, [r0, #{4 * row}]" for row in range(dots.rows)]
    else:
        entry += ["mov r5, r0", "mov r7, #0"]
    start = ["2:", "ldrd r1, r9, [sp, #20]"]
    if dots.held:
        loads, _ = _held_loads(dots)
        start += loads
    counter = dots.channels // 4
    start += [f"mov r11, #{counter}", "str r11, [sp, #28]"] if dots.rolled else [f"mov r11, #{counter}"]
    block = ["1:", *_two_channels(dots, "b"), *_two_channels(dots, "t")]
    block += requantize.to_bytes("q6", dots.output, "r12", "q7")
    block += ["vldrw.u32 q7, [sp]", "vstrw.32 q6, [r9, q7]", "adds r9, r9, #4"]
    block += ["ldr r11, [sp, #28]"] if dots.rolled else []
    block += ["subs r11, r11, #1"] + (["str r11, [sp, #28]"] if dots.rolled else []) + ["bne 1b"]
    step = dots.pixels * dots.pixel_input
    end = []
    for register in _ROWS[: dots.pointers] if dots.in_registers else ("r7",):
        end += add(register, step, "r2")
    end += ["ldrd r4, r6, [sp, #16]", "ldr r2, [sp, #24]", *add("r2", dots.pixels * dots.pixel_output, "r6")]
    end += ["subs r4, r4, #1", "str r4, [sp, #16]", "str r2, [sp, #24]", "bne 2b"]
    return entry, start, block, end


def _scheduled_parts(dots: Dots) -> tuple[list[str], list[str], list[str], list[str]]:
    entry, start, block, end = _body_parts(dots)
    return entry, start, scheduled(block, ("r1",)), end


def _held_loads(dots: Dots) -> tuple[list[str], list[str]]:
    inputs = _Inputs(dots)
    inputs.forget(_ROWS[0])
    return inputs.vector(dots.offsets[0])


_LEAVE = ("add sp, sp, #36", "vpop {d8-d15}", "pop {r4-r11, pc}")
_LEAVE_CYCLES = cost.cycles(_LEAVE)


def assembly(dots: Dots) -> str:
    """The function's body."""
    entry, start, block, end = _scheduled_parts(dots)
    return "\n".join([*entry, *start, *block, *end, *_LEAVE])


def instructions(dots: Dots, groups: int, calls: int) -> int:
    """Of `calls` calls that do `groups` groups of pixels in all."""
    entry, start, block, end = (sum(_counts(x) for x in part) for part in _body_parts(dots))
    if dots.rolled:
        loop = 4 + len(dots.offsets) * (2 + 2 * dots.pixels) + len(dots.offsets) * dots.pixels
        block += 2 * (dots.rows - 1) * loop
    return calls * (entry + 3) + groups * (start + end + dots.channels // 4 * block)


def cycles(dots: Dots, groups: int, calls: int) -> int:
    """Modelled, of the same."""
    entry, start, block, end = _scheduled_parts(dots)
    channels = cost.cycles(block)
    if dots.rolled:
        channels += 2 * (dots.rows - 1) * cost.cycles(cost.loop_body(block, "3"))
    each = cost.cycles(start) + cost.cycles(end) + dots.channels // 4 * channels
    return calls * (cost.cycles(entry) + _LEAVE_CYCLES) + groups * each


def _counts(line: str) -> bool:
    return not line.startswith("/*") and not line.endswith(":")


def packed(node: BoundNode, dots: Dots, weights: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """The stream. weights: int8 [channels, taps]; vectors: int8 [channels, rows, vectors, 16]."""
    bias = requantize.folded_bias(node, weights)
    multiplier, shift = channel_multipliers(node)
    stream = []
    for c in range(0, dots.channels, 2):
        stream.append(vectors[c : c + 2].transpose(1, 2, 0, 3).reshape(-1))
        pair = slice(c, c + 2)
        stream.append(requantize.words(bias[pair], multiplier[pair], shift[pair]))
    return np.concatenate(stream).astype(np.int8)


def with_best_pixels(dots: Dots, count: int) -> Dots:
    """As many pixels at once as are best for runs of `count`."""
    choices = [replace(dots, pixels=pixels) for pixels in range(min(count, 4), 0, -1)]
    return min(choices, key=lambda d: -(-count // d.pixels) * instructions(d, 1, 0))


def function(dots: Dots) -> Assembly:
    return Assembly("dots", assembly(dots), GUARD, "mq_mve_dots_function_t", "mq_mve_dots_twin")
