"""Depthwise convolution for mode size: four channels of a few rows in scratch, one function for all layers.

The rows that a row of windows spans are copied to scratch, padded, a word of four channels for each
pixel; then a row of outputs is written, and may overwrite rows that have been copied. Where the image
does not shrink, channels are outside, so that each row is copied once and the output may lie where the
input does; else rows are outside, and the output may lie before the input. Weights and constants take
hardly more bytes in flash than they are.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, IntArray, wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.assembly_cycles import loop_cycles
from mcu_quant.kernels.base import Activation, Assembly, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.dsp.linear import BLOCK, DSP_GUARD
from mcu_quant.kernels.dsp.linear_outputs import limited
from mcu_quant.kernels.dsp.requantization import ShortRequantization, short_requantization
from mcu_quant.kernels.portable.windows import row_overlap
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier
from mcu_quant.ops.windows import WindowAxis

#: Steps are bytes in the table.
_LARGEST_STEP = 255


class DepthwiseLinesS8(Kernel):
    name = "depthwise_lines_s8"
    family = "dsp"
    ops = ("depthwise_conv_2d",)
    modes = ("size",)

    def refusal(self, node: BoundNode) -> str | None:
        short = short_requantization(node)
        if short is None or int(short.step.max()) > _LARGEST_STEP or int(short.step.min()) < 0:
            return "its requantization is not proved in the short form"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        height, width = axes_of(node)
        short = _proved(node)
        params = {
            "filter_h": height.filter_size,
            "filter_w": width.filter_size,
            "column_bytes": 4 * width.dilation,
            "row_bytes": 4 * (height.dilation * _columns(width) - width.dilation * width.filter_size),
            "window_bytes": 4 * width.stride,
            "output_w": width.output_size,
            "shift": short.shift,
            "output_h": height.output_size,
            "input_h": height.input_size,
            "input_w": width.input_size,
            "channels": x.shape[3],
            "multiplier": depth_multiplier(node),
            "stride_h": height.stride,
            "padding_h": height.before,
            "padding_w": width.before,
            "zero_point": x.zero_point,
            "lines": _reach(height),
            "columns": _columns(width),
            "by_channel": int(_by_channel(node)),
            "has_steps": int(short.has_steps),
            "low": INT8_MIN if short.low is None else short.low,
            "high": INT8_MAX if short.high is None else short.high,
        }
        convolve = Assembly(
            "depthwise_lines",
            "\n".join(_row_body(short)),
            DSP_GUARD,
            "mq_depthwise_lines_s8_function_t",
            "mq_depthwise_lines_s8_twin",
        )
        table = Constant("table", _table(node, short))
        return KernelCall(params, (convolve, Activation(x.name), table, Scratch(), Activation(y.name)))

    def scratch_bytes(self, node: BoundNode) -> int:
        """A word for each pixel of the lines and for each window of a row."""
        height, width = axes_of(node)
        return 4 * (_reach(height) * _columns(width) + width.output_size)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        first = None if _by_channel(node) else row_overlap(node, axes_of(node))
        return (first, *(None for _ in node.inputs[1:]))

    def in_place(self, node: BoundNode) -> bool:
        """A pixel's outputs lie over a pixel that has been copied, in the same channels."""
        return _by_channel(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        """The assembly, counted; the C around it, fitted to docs/benchmarks.json: rows, lines and pixels that
        are copied, lines that are kept, pixels of outputs."""
        height, width = axes_of(node)
        windows, taps = width.output_size, height.filter_size * width.filter_size
        groups, lines = -(-node.output.shape[3] // BLOCK), _reach(height)
        rows = groups * height.output_size
        kept = max(lines - height.stride, 0) * groups * (height.output_size - 1) if _by_channel(node) else 0
        made = rows * lines - kept
        times = {1: windows, 2: windows * height.filter_size, 3: windows * taps}
        row = 203 + loop_cycles(_row_body(_proved(node)), times, core) + 54 * windows
        # Channels that share an input channel are copied byte by byte.
        pixel = 25 if depth_multiplier(node) == 1 else 117
        return rows * row + made * (71 + pixel * _columns(width)) + 1.8 * kept * _columns(width)


def _reach(axis: WindowAxis) -> int:
    """From a window's first tap to its last one."""
    return (axis.filter_size - 1) * axis.dilation + 1


def _columns(width: WindowAxis) -> int:
    return (width.output_size - 1) * width.stride + _reach(width)


def _by_channel(node: BoundNode) -> bool:
    height, width = axes_of(node)
    return depth_multiplier(node) == 1 and height.stride == width.stride == 1


def _proved(node: BoundNode) -> ShortRequantization:
    short = short_requantization(node)
    assert short is not None
    return short


def _table(node: BoundNode, short: ShortRequantization) -> np.ndarray:
    """int32 [groups of four channels, words], as mq_depthwise_lines_s8_function_t takes them."""
    weights, bias = node.input(1).data, node.optional_input(2)
    assert weights is not None
    taps = np.where(short.is_constant, 0, weights.astype(np.int64).reshape(-1, weights.shape[3]))
    start = np.zeros(taps.shape[1], np.int64)
    if bias is not None and bias.data is not None:
        start += bias.data
    start = np.where(short.is_constant, 0, start - short.center) - node.input(0).zero_point * taps.sum(axis=0)
    columns = [
        _groups(start[:, None]),
        _bytes(taps.T.astype(np.uint8)),
        _groups(np.stack([short.multiplier, short.addend], axis=1)),
    ]
    if short.has_steps:
        columns.append(_bytes(short.step[:, None].astype(np.uint8)))
    return np.concatenate(columns, axis=1)


def _groups(values: IntArray) -> np.ndarray:
    """[channels, n] to int32 [groups, 4 * n], channel after channel."""
    whole = np.pad(values, ((0, -len(values) % BLOCK), (0, 0)))
    return wrap_int32(whole).astype(np.int32).reshape(-1, BLOCK * values.shape[1])


def _bytes(values: np.ndarray) -> np.ndarray:
    """uint8 [channels, n] to words of four channels, int32 [groups, n]."""
    whole = np.pad(values, ((0, -len(values) % BLOCK), (0, 0))).reshape(-1, BLOCK, values.shape[1])
    return np.ascontiguousarray(whole.transpose(0, 2, 1)).view("<i4")[..., 0]


#: Slots of the stack frame; the first seven are the parameters' first fields.
_FILTER_H, _FILTER_W, _COLUMN, _ROW, _WINDOW, _LEFT, _SHIFT, _LINES, _TABLE, _FRAME = range(0, 40, 4)


def _row_body(short: ShortRequantization) -> list[str]:
    """mq_depthwise_lines_s8_function_t: r0 pixels, r1 table, r3 results; sums r4-r7."""
    return [
        "push {r4-r11, lr}",
        f"sub sp, sp, #{_FRAME}",
        "ldm r0, {r4-r10}",
        "stm sp, {r4-r10}",
        f"str r1, [sp, #{_LINES}]",
        f"str r2, [sp, #{_TABLE}]",
        "1:",
        f"ldr r1, [sp, #{_TABLE}]",
        "ldm r1!, {r4-r7}",
        f"ldr r0, [sp, #{_LINES}]",
        f"ldr r12, [sp, #{_FILTER_H}]",
        "2:",
        f"ldr lr, [sp, #{_FILTER_W}]",
        f"ldr r11, [sp, #{_COLUMN}]",
        "3:",
        "ldr r8, [r0]",
        "ldr r9, [r1], #4",
        "sxtb16 r2, r8",
        "sxtb16 r10, r9",
        "sxtb16 r8, r8, ror #8",
        "sxtb16 r9, r9, ror #8",
        "smlabb r4, r2, r10, r4",
        "smlatt r6, r2, r10, r6",
        "smlabb r5, r8, r9, r5",
        "smlatt r7, r8, r9, r7",
        "add r0, r0, r11",
        "subs lr, lr, #1",
        "bne 3b",
        f"ldr r2, [sp, #{_ROW}]",
        "add r0, r0, r2",
        "subs r12, r12, #1",
        "bne 2b",
        f"ldr r2, [sp, #{_SHIFT}]",
        *(["ldr r12, [r1, #32]"] if short.has_steps else []),
        *(line for channel in range(4) for line in _result(short, channel)),
        f"ldr r0, [sp, #{_LINES}]",
        f"ldr r2, [sp, #{_WINDOW}]",
        "add r0, r0, r2",
        f"str r0, [sp, #{_LINES}]",
        f"ldr r2, [sp, #{_LEFT}]",
        "subs r2, r2, #1",
        f"str r2, [sp, #{_LEFT}]",
        "bne 1b",
        f"add sp, sp, #{_FRAME}",
        "pop {r4-r11, pc}",
    ]


def _result(short: ShortRequantization, channel: int) -> list[str]:
    """One channel's output from its sum. r1 constants, r2 shift, r12 steps, r3 results."""
    y = f"r{4 + channel}"
    lines = [f"ldrd r8, r9, [r1, #{8 * channel}]", f"lsl {y}, {y}, #{short.scale_bits}"]
    if short.has_steps:
        lines += [f"uxtb r10, r12, ror #{8 * channel}" if channel else "uxtb r10, r12"]
        lines += [f"and r10, r10, {y}, asr #31"]
    lines += [f"smmla {y}, {y}, r8, r9"]
    lines += [f"sub {y}, {y}, r10"] if short.has_steps else []
    lines += [f"asr {y}, {y}, r2", f"ssat {y}, #8, {y}", *limited(short, y)]
    return [*lines, f"strb {y}, [r3], #1"]


KERNEL = DepthwiseLinesS8()
