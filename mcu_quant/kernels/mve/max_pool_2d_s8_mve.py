"""Maximum pooling on Helium: sixteen channels at once.

One function for any window, which the ones cut by the border take; windows inside the image have their
own, without loops, if they are small. Channels beyond the last whole vector are done with the vector that
ends where the channels end; fewer than a vector's are loaded and stored under a predicate.
"""

from __future__ import annotations

from dataclasses import dataclass

from mcu_quant.fixed_point import INT8_MAX
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Assembly, Core, KernelCall
from mcu_quant.kernels.mve.dots import add, load
from mcu_quant.kernels.mve.requantize import GUARD
from mcu_quant.kernels.portable.pooling import PoolingKernel
from mcu_quant.kernels.portable.windows import whole_windows
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.pooling import pool_axes

_LANES = 16
#: Up to so many elements of a window are straight-line code.
_MOST_UNROLLED = 16
#: Immediates that loads add to their register have 7 bits.
_MOST_STEP = 127


@dataclass(frozen=True)
class _Window:
    """rows x columns pixels; low, high: the clamp; step: from one output's window to the next, in bytes."""

    rows: int
    columns: int
    row_bytes: int
    channels: int
    step: int
    low: int
    high: int

    @property
    def is_unrolled(self) -> bool:
        return self.rows * self.columns <= _MOST_UNROLLED


class MaxPool2DS8Mve(PoolingKernel):
    name = "max_pool_2d_s8_mve"
    family = "mve"
    ops = ("max_pool_2d",)

    def call(self, node: BoundNode) -> KernelCall:
        plain = super().call(node)
        first, count = whole_windows(pool_axes(node)[1])
        params = {**plain.params, "whole_first": first, "whole_count": count}
        window = _window(node)
        any_window = _function("max_pool_any", _frame(window, _loops(window)))
        whole = _function("max_pool", _frame(window, _straight(window))) if window.is_unrolled else any_window
        x, y = plain.arguments
        return KernelCall(params, (whole, any_window, x, y))

    def cycles(self, node: BoundNode, core: Core) -> float:
        height, width = pool_axes(node)
        window = _window(node)
        vectors = -(-window.channels // _LANES)
        # A load and the maximum of it take two cycles each; a loop costs what it is set up by.
        tap = 2.0 + 2.0 * (window.channels > _MOST_STEP or window.channels < _LANES)
        taps = height.filter_size * width.filter_size
        straight = taps * tap + height.filter_size + 8
        loops = taps * (tap + 1) + 8.0 * height.filter_size + 10
        whole = whole_windows(height)[1] * whole_windows(width)[1]
        cut = height.output_size * width.output_size - whole
        inside = straight if window.is_unrolled else loops
        return whole * (vectors * inside + 6) + cut * (vectors * loops + 60) + 60 + 30 * height.output_size


def _function(stem: str, lines: list[str]) -> Assembly:
    return Assembly(
        stem, "\n".join(lines), GUARD, "mq_max_pool_2d_s8_mve_function_t", "mq_max_pool_2d_s8_mve_twin"
    )


def _window(node: BoundNode) -> _Window:
    height, width = pool_axes(node)
    channels = node.input(0).shape[3]
    bounds = activation_range(node.attrs.activation, node.output)
    return _Window(
        height.filter_size,
        width.filter_size,
        width.input_size * channels,
        channels,
        width.stride * channels,
        *bounds,
    )


def _frame(window: _Window, maximum: list[str]) -> list[str]:
    """mq_max_pool_2d_s8_mve_function_t. maximum: of the window at r0, from q0's lower bound on, to q0.

    r0 window, r1 output, r2 windows left, r3 vectors left, r4 rows and r5 columns of a window, r6 from
    the end of its row to the next one, r7 channels, r8 a pixel, r9 rows left; q2 and q3 the clamp.
    """
    vectors, rest = divmod(window.channels, _LANES)
    step = min(window.channels, _LANES)
    vector = [*maximum, *(["vmin.s8 q0, q0, q3"] if window.high != INT8_MAX else [])]
    vector += _predicated(window, f"vstrb.8 q0, [r1], #{step}")
    code = [
        "push {r4-r9, lr}",
        "ldrd r4, r5, [r3]",
        *load("r6", window.row_bytes),
        *load("r7", window.channels),
        "mls r6, r5, r7, r6",
        *load("r8", window.low),
        "vdup.8 q2, r8",
        *([*load("r8", window.high), "vdup.8 q3, r8"] if window.high != INT8_MAX else []),
        *(["vctp.8 r7"] if vectors == 0 else []),
        "1:",
        *load("r3", vectors or 1),
        "2:",
        *vector,
        f"adds r0, r0, #{step}",
        "subs r3, r3, #1",
        "bne 2b",
    ]
    if vectors and rest:
        back = _LANES - rest
        code += [f"subs r0, r0, #{back}", f"subs r1, r1, #{back}", *vector, f"adds r0, r0, #{step}"]
    code += add("r0", window.step - window.channels, "r12")
    return [*code, "subs r2, r2, #1", "bne 1b", "pop {r4-r9, pc}"]


def _loops(window: _Window) -> list[str]:
    start = ["vmov q0, q2", "mov r8, r0", "mov r9, r4", "3:", "dls lr, r5", "4:"]
    return [*start, *_tap(window), "le lr, 4b", "add r8, r8, r6", "subs r9, r9, #1", "bne 3b"]


def _straight(window: _Window) -> list[str]:
    row = _tap(window) * window.columns
    lines = ["vmov q0, q2", "mov r8, r0", *row]
    for _ in range(window.rows - 1):
        lines += ["add r8, r8, r6", *row]
    return lines


def _tap(window: _Window) -> list[str]:
    """A pixel more, r8 goes on to the next one."""
    if window.channels <= _MOST_STEP:
        lines = _predicated(window, f"vldrb.u8 q1, [r8], #{window.channels}")
    else:
        lines = ["vldrb.u8 q1, [r8]", "add r8, r8, r7"]
    return [*lines, "vmax.s8 q0, q0, q1"]


def _predicated(window: _Window, access: str) -> list[str]:
    return [access] if window.channels >= _LANES else ["vpst", access.replace(".", "t.", 1)]


KERNEL = MaxPool2DS8Mve()
