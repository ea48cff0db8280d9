"""Depthwise convolution over one axis on Helium: patches of 16 steps, gathered from interleaved steps."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.mve import patches, requantize
from mcu_quant.kernels.mve.patches import CHUNK, Patches
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier
from mcu_quant.ops.windows import WindowAxis

_PATCH = 16
#: The longest filter that fits a patch at four places.
_MOVABLE = 13
_MOST_WORDS = 64


class DepthwiseConv1DS8Mve(Kernel):
    name = "depthwise_conv_1d_s8_mve"
    family = "mve"
    ops = ("depthwise_conv_2d",)

    def refusal(self, node: BoundNode) -> str | None:
        axis = _axis(node)
        if depth_multiplier(node) != 1 or node.input(0).shape[3] < CHUNK:
            return "a depth multiplier of 1 and at least 16 channels"
        if axis is None:
            return "height or width must be 1, the filter's, too"
        if axis.dilation > 1 or axis.filter_size > _PATCH:
            return f"filters of at most {_PATCH}, no dilation"
        movable = axis.stride == 1 and axis.filter_size <= _MOVABLE
        if not movable and axis.stride % 4 and axis.output_size > 1:
            return f"a stride of 1 and filters of at most {_MOVABLE}, or strides that are multiples of 4"
        if _words(_shape(node, axis)) > _MOST_WORDS or patches.far(_shape(node, axis)):
            return "the axis or the stride is too long"
        return requantize.requantization_refusal(node)

    def call(self, node: BoundNode) -> KernelCall:
        axis, x = _checked_axis(node), node.input(0)
        shape = _shape(node, axis)
        params = {
            "steps": axis.input_size,
            "channels": x.shape[3],
            "padding": axis.before,
            "words": _words(shape),
            "input_zero_point": x.zero_point,
            "tile": shape.tile,
            "tile_words": shape.tile_words,
            "outputs": shape.columns,
            "output_zero_point": shape.output.zero_point,
            "activation_min": shape.output.low,
            "activation_max": shape.output.high,
        }
        arguments = (
            Activation(x.name),
            Constant("packed", patches.packed(node, _filters(node))),
            patches.interleave(4 * x.shape[3], x.shape[3] % 4 == 0),
            patches.function(shape),
            Scratch(),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        return CHUNK + _words(_shape(node, _checked_axis(node))) * 4 * CHUNK

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """All inputs of 16 channels are read before any of their outputs is written."""
        one_chunk = node.input(0).shape[3] == CHUNK
        return (-node.input(0).bytes if one_chunk else None, *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """The assembly's; a buffer filled, fitted to docs/benchmarks.json."""
        shape = _shape(node, _checked_axis(node))
        whole, rest = divmod(node.input(0).shape[3], CHUNK)
        counts = [CHUNK] * whole + ([rest] if rest else [])
        return 850 + sum(patches.cycles(shape, 1, 1, count) + 158 for count in counts)


def _axis(node: BoundNode) -> WindowAxis | None:
    """The one axis of the window."""
    for axis, other in (axes_of(node), reversed(axes_of(node))):
        if other.input_size == other.filter_size == other.output_size == 1 and other.before == 0:
            return axis
    return None


def _checked_axis(node: BoundNode) -> WindowAxis:
    axis = _axis(node)
    assert axis is not None
    return axis


def _shape(node: BoundNode, axis: WindowAxis) -> Patches:
    movable = axis.stride == 1 and axis.filter_size <= _MOVABLE and axis.output_size > 1
    return Patches(
        rows=1,
        tile=4 if movable else 1,
        tile_words=1 if movable else -(-axis.stride // 4),
        columns=axis.output_size,
        channels=CHUNK,
        strip_words=0,
        output_column=node.input(0).shape[3],
        output_row=axis.output_size * node.input(0).shape[3],
        output=requantize.output_of(node),
    )


def _words(shape: Patches) -> int:
    """In the buffer: those of the last patch are the last."""
    return (shape.columns - 1) // shape.tile * shape.tile_words + 4


def _filters(node: BoundNode) -> np.ndarray:
    data = node.input(1).data
    assert data is not None
    channels = data.shape[3]
    filters = np.zeros((channels, _PATCH), np.int8)
    filters[:, : data.size // channels] = data.reshape(-1, channels).T
    return filters


KERNEL = DepthwiseConv1DS8Mve()
