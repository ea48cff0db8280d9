"""Maximum pooling with SSUB8 and SEL: four channels a word (Cortex-M4, M7, M33).

Windows inside the image, along a row of outputs, are a function in assembly made for the window's
size; those that the border cuts are a loop in C. Channels beyond the last whole word are done with
the word that ends where the channels end: a maximum may be written twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Assembly, Core, KernelCall
from mcu_quant.kernels.dsp.straight_line import add_immediate, move_immediate
from mcu_quant.kernels.portable.pooling import PoolingKernel
from mcu_quant.kernels.portable.windows import whole_windows
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.pooling import pool_axes
from mcu_quant.ops.windows import WindowAxis

_WORD = 4
#: Up to so many elements of a window are straight-line code; beyond, loops.
_MOST_UNROLLED = 16
#: Loaded together: r4 to r9.
_TAPS = ("r4", "r5", "r6", "r7", "r8", "r9")
#: Immediate offsets have 12 bits.
_MOST_OFFSET = 4095
#: Elements of a row of a window that a loop takes at once.
_CHUNK = 4


@dataclass(frozen=True)
class _Window:
    """runs of `run` pixels each, row_bytes apart; step: from one output's window to the next."""

    runs: int
    run: int
    row_bytes: int
    channels: int
    step: int
    low: int
    high: int

    @property
    def words(self) -> int:
        return self.channels // _WORD

    @property
    def rest(self) -> int:
        return self.channels % _WORD

    @property
    def offsets(self) -> list[int]:
        """Of a window's elements, the first one last: its load moves the pointer on."""
        taps = [(y, x) for y in range(self.runs) for x in range(self.run)]
        return [y * self.row_bytes + x * self.channels for y, x in reversed(taps)]

    @property
    def is_unrolled(self) -> bool:
        return self.runs * self.run <= _MOST_UNROLLED and max(self.offsets) <= _MOST_OFFSET


class MaxPool2DS8Dsp(PoolingKernel):
    name = "max_pool_2d_s8_dsp"
    family = "dsp"
    ops = ("max_pool_2d",)

    def refusal(self, node: BoundNode) -> str | None:
        channels = node.output.shape[3]
        if not _WORD <= channels <= _MOST_OFFSET // _CHUNK:
            return f"there must be {_WORD} to {_MOST_OFFSET // _CHUNK} channels"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        plain = super().call(node)
        first, count = whole_windows(pool_axes(node)[1])
        params = {**plain.params, "whole_first": first, "whole_count": count}
        function = Assembly(
            "max_pool",
            "\n".join(_body(_window(node))),
            "defined(__ARM_FEATURE_DSP)",
            "mq_max_pool_2d_s8_dsp_function_t",
            "mq_max_pool_2d_s8_dsp_twin",
        )
        x, y = plain.arguments
        return KernelCall(params, (function, x, y))

    def cycles(self, node: BoundNode, core: Core) -> float:
        return self._cost(node, load=1.25, branch=3.0, tap_in_c=9.7)

    def instructions(self, node: BoundNode) -> float:
        return self._cost(node, load=1.0, branch=1.0, tap_in_c=7.5)

    def _cost(self, node: BoundNode, *, load: float, branch: float, tap_in_c: float) -> float:
        """Whole windows by the assembly's lines; cut ones, a loop in C, as fitted to random shapes."""
        height, width = pool_axes(node)
        window = _window(node)
        words = window.words + (window.rest > 0)
        taps = window.runs * window.run
        clamp = 2 * (window.low != INT8_MIN) + 2 * (window.high != INT8_MAX)
        word = taps * (load + 2) + clamp + branch + _around_taps(window, branch)
        rows, columns = whole_windows(height)[1], whole_windows(width)[1]
        whole = rows * columns * (words * word + 3 + branch)
        cut = height.output_size * width.output_size - rows * columns
        taps_in_c = _taps_inside(height) * _taps_inside(width) - rows * columns * taps
        in_c = cut * (10 + 18 * words) + taps_in_c * words * tap_in_c
        return whole + in_c + 20 * height.output_size + 40


def _around_taps(window: _Window, branch: float) -> float:
    """What a word takes beside its taps, which are a load and a maximum each, and the loop over words."""
    if window.is_unrolled:
        return 0.0  # the first tap needs no maximum; a store and a count
    chunks = -(-window.run // _CHUNK)
    run = chunks * (2 + branch) if window.run > _MOST_UNROLLED else chunks
    return 5 + window.runs * run + (window.runs * (3 + branch) if window.runs > 1 else 0)


def _window(node: BoundNode) -> _Window:
    height, width = pool_axes(node)
    channels = node.input(0).shape[3]
    row_bytes = width.input_size * channels
    low, high = activation_range(node.attrs.activation, node.output)
    runs, run = height.filter_size, width.filter_size
    if run == width.input_size:  # rows of the window follow each other
        runs, run = 1, runs * run
    return _Window(runs, run, row_bytes, channels, width.stride * channels, low, high)


def _taps_inside(axis: WindowAxis) -> int:
    """Of all outputs' windows along an axis, the elements inside the input."""
    reached = (axis.reach(tap)[0] for tap in range(axis.filter_size))
    return sum(outputs.stop - outputs.start for outputs in reached)


def _body(window: _Window) -> list[str]:
    """mq_max_pool_2d_s8_dsp_function_t.

    r0 window, r1 output, r2 windows left, r3 words left, r4 to r9 elements, r10 and r11 the clamp,
    r12 and lr work.
    """
    lines = ["push {r4-r11, lr}"]
    for register, bound, end in (("r10", window.low, INT8_MIN), ("r11", window.high, INT8_MAX)):
        lines += move_immediate(register, (bound & 0xFF) * 0x01010101) if bound != end else []
    lines.append("1:")
    word = _word(window)
    if window.words > 1:
        lines += [f"movw r3, #{window.words}", "2:", *word, "subs r3, r3, #1", "bne 2b"]
    else:
        lines += word
    if window.rest:
        back = _WORD - window.rest
        lines += [f"subs r0, r0, #{back}", f"subs r1, r1, #{back}", *word]
    lines += add_immediate("r0", window.step - window.channels, "r12")
    return [*lines, "subs r2, r2, #1", "bne 1b", "pop {r4-r11, pc}"]


def _word(window: _Window) -> list[str]:
    """Four channels of a window; r0 and r1 go on by a word."""
    lines = _straight(window.offsets) if window.is_unrolled else _loops(window)
    if window.low != INT8_MIN:
        lines += _maximum("r4", "r10")
    if window.high != INT8_MAX:
        lines += ["ssub8 r12, r11, r4", "sel r4, r4, r11"]
    return [*lines, "str r4, [r1], #4"]


def _straight(offsets: Sequence[int]) -> list[str]:
    lines: list[str] = []
    for first in range(0, len(offsets), len(_TAPS) - 1):
        part = offsets[first : first + len(_TAPS) - 1]
        # The maximum so far stays in r4.
        registers = _TAPS[: len(part)] if first == 0 else _TAPS[1 : 1 + len(part)]
        for register, offset in zip(registers, part, strict=True):
            lines.append(f"ldr {register}, [r0, #{offset}]" if offset else f"ldr {register}, [r0], #4")
        for register in registers:
            lines += _maximum("r4", register) if register != "r4" else []
    return lines


def _loops(window: _Window) -> list[str]:
    """r4 the maximum, r5 to r8 elements, r9 where they are, r12 work, lr runs or chunks left."""
    lines = ["ldr r4, [r0]", "mov r9, r0"]
    if window.runs == 1:
        return [*lines, *_run(window), "adds r0, r0, #4"]
    lines += [*move_immediate("lr", window.runs), "3:"]
    is_long = window.run > _MOST_UNROLLED
    lines += ["push {lr}", *_run(window), "pop {lr}"] if is_long else _run(window)
    lines += add_immediate("r9", window.row_bytes - window.run * window.channels, "r12")
    return [*lines, "subs lr, lr, #1", "bne 3b", "adds r0, r0, #4"]


def _run(window: _Window) -> list[str]:
    """A row of a window, the start of the next one in r9 then; a loop of chunks if it is long."""
    lines: list[str] = []
    left = window.run
    if left > _MOST_UNROLLED:
        chunks, left = divmod(left, _CHUNK)
        lines += [*move_immediate("lr", chunks), "4:", *_chunk(window, _CHUNK), "subs lr, lr, #1", "bne 4b"]
    for first in range(0, left, _CHUNK):
        lines += _chunk(window, min(left - first, _CHUNK))
    return lines


def _chunk(window: _Window, count: int) -> list[str]:
    registers = _TAPS[1 : 1 + count]
    lines = [f"ldr {register}, [r9, #{i * window.channels}]" for i, register in enumerate(registers)]
    for register in registers:
        lines += _maximum("r4", register)
    return [*lines, *add_immediate("r9", count * window.channels, "r12")]


def _maximum(target: str, other: str) -> list[str]:
    """target = the larger of both, byte for byte."""
    return [f"ssub8 r12, {target}, {other}", f"sel {target}, {target}, {other}"]


KERNEL = MaxPool2DS8Dsp()
