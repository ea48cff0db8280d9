"""Depthwise convolution on Cortex-M3 and later: two output rows at once, see strips.py.

Scratch: the strip of one channel and band.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.strips import (
    SAFE_TAPS,
    WIDE_TAPS,
    StripPlan,
    band_overlap,
    pack_assembly,
    pack_cycles,
    plan_strips,
    strip_of,
    window_assembly,
    window_cycles,
)
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.portable.windows import window_steps
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier

#: Cycles of C: for the windows of a channel in a band, and once.
_WINDOWS_CALL, _ONCE = 30, 100


class DepthwiseConv2DS8Armv7m(Kernel):
    name = "depthwise_conv_2d_s8_armv7m"
    family = "armv7m"
    ops = ("depthwise_conv_2d",)
    modes = ("time", "balanced")

    def refusal(self, node: BoundNode) -> str | None:
        return None if _plan(node) is not None else "no short exact form fits the weights, scales or sizes"

    def call(self, node: BoundNode) -> KernelCall:
        plan = _plan(node)
        assert plan is not None
        height, width = axes = axes_of(node)
        x, strip = node.input(0), plan.strip
        params = {
            "input_h": x.shape[1],
            "input_w": x.shape[2],
            "input_channels": x.shape[3],
            "filter_h": height.filter_size,
            "filter_w": width.filter_size,
            "output_h": height.output_size,
            "output_w": width.output_size,
            "depth_multiplier": depth_multiplier(node),
            **window_steps(node),
            "input_zero_point": x.zero_point,
            "band_rows": strip.rows,
            "bands": len(strip.starts),
            "lines": strip.lines,
            "strip_columns": strip.columns,
            **plan.requantization.params(),
        }
        windows = tuple(window_assembly(plan, taps, height.stride) for taps in (SAFE_TAPS, WIDE_TAPS))
        tables = Constant("table", plan.table), Constant("is_wide", plan.is_wide.astype(np.uint8))
        packs = tuple(pack_assembly(node, axes, strip, start) for start in strip.bands_by_padding)
        places = Scratch(), Activation(node.output.name)
        return KernelCall(params, (Activation(x.name), *tables, *packs, *windows, *places))

    def scratch_bytes(self, node: BoundNode) -> int:
        return strip_of(axes_of(node)).bytes

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (band_overlap(node, axes_of(node)), *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """The assembly, counted; the C around it, fitted to docs/benchmarks.json."""
        plan = _plan(node)
        assert plan is not None
        height, width = axes = axes_of(node)
        channels = node.output.shape[3]
        wide = float(plan.is_wide.mean())
        shares = ((SAFE_TAPS, 1 - wide), (WIDE_TAPS, wide))
        windows = sum(
            share * channels * window_cycles(plan, taps, height.stride, width.output_size, core)
            for taps, share in shares
            if share
        )
        packing = node.input(0).shape[3] * pack_cycles(node, axes, plan.strip, core)
        return len(plan.strip.starts) * (windows + _WINDOWS_CALL * channels) + packing + _ONCE


@lru_cache(maxsize=128)
def _plan(node: BoundNode) -> StripPlan | None:
    return plan_strips(node, axes_of(node))


KERNEL = DepthwiseConv2DS8Armv7m()
