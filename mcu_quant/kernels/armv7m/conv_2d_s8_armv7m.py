"""Convolution on Cortex-M3 and later: four output channels at once, see dot.py. Scratch: one window."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.armv7m.dot import BYTES, GROUPS, Dot, dot_cycles, plan_dot
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.portable.windows import convolution_params, linear_overlap
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.windows import WindowAxis


class Conv2DS8Armv7m(Kernel):
    """groups: the ways to add products that it may take (see dot.Window); BYTES keeps weights bytes."""

    function = "conv_2d_s8_armv7m"
    family = "armv7m"
    ops = ("conv_2d",)

    def __init__(self, name: str, mode: str, groups: tuple[int, ...]) -> None:
        self.name, self.modes, self._groups = name, (mode,), groups

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(1).shape[3] != node.input(0).shape[3]:
            return "groups have no fast kernel"
        if _plan(node, self._groups) is None:
            return "no short exact form fits the weights or scales"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        dot = _plan(node, self._groups)
        assert dot is not None
        x, y = node.input(0), node.output
        _, width = axes_of(node)
        first, end = _inside(width)
        params = {
            **convolution_params(node, "filter_channels", "output_channels"),
            "input_zero_point": x.zero_point,
            "inside_first": first,
            "inside_end": end,
            "table_bytes": dot.table.nbytes,
            **dot.params(),
        }
        arguments = (Activation(x.name), dot.constant, dot.assembly, Scratch(), Activation(y.name))
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        height, width = axes_of(node)
        is_padded = any(axis.before or axis.after for axis in (height, width))
        return node.input(1).elements // node.input(1).shape[0] if is_padded or width.dilation > 1 else 0

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return linear_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        dot = _plan(node, self._groups)
        assert dot is not None
        height, width = axes_of(node)
        pixels = height.output_size * width.output_size
        (first, end), (top, bottom) = _inside(width), _inside(height)
        gathered = pixels - max(end - first, 0) * max(bottom - top, 0)
        gather = gathered * (150 + 45 * dot.window.runs + dot.window.inputs)
        return dot_cycles(dot, pixels, core) + gather + 60 + 30 * height.output_size


@lru_cache(maxsize=128)
def _plan(node: BoundNode, groups: tuple[int, ...]) -> Dot | None:
    weights = node.input(1)
    assert weights.data is not None
    rows = weights.data.astype(np.int64).reshape(weights.shape[0], -1)
    return plan_dot(node, weights.shape[1], rows, groups)


def _inside(axis: WindowAxis) -> tuple[int, int]:
    """Outputs, from first to before end, whose windows need no padding; with dilation none can be read
    as a run."""
    if axis.dilation > 1:
        return 0, 0
    first = -(-axis.before // axis.stride)
    end = (axis.input_size - axis.filter_size + axis.before) // axis.stride + 1
    return (first, min(end, axis.output_size)) if first < end else (0, 0)


KERNEL = Conv2DS8Armv7m("conv_2d_s8_armv7m", "time", GROUPS)
KERNELS = (KERNEL, Conv2DS8Armv7m("conv_2d_bytes_s8_armv7m", "balanced", (BYTES,)))
