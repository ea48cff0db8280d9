"""Convolution of int16 for the DSP extension: four channels of two pixels at once, from a patch in scratch.

The windows of two pixels are copied side by side, pair by pair, with zeros for padding; the inner loop is
assembly.
"""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.dsp.assembly_s16 import sums_function, two_pixels_body
from mcu_quant.kernels.dsp.linear import padded
from mcu_quant.kernels.dsp.packed_s16 import TURN, packed_s16, refusal_s16
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.kernels.portable.windows import convolution_params, linear_overlap

_BLOCK, _PIXELS = 4, 2


class Conv2DDspS16(Kernel):
    name = "conv_2d_dsp_s16"
    family = "dsp"
    ops = ("conv_2d",)
    forms = ("int16",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(1).shape[3] != node.input(0).shape[3]:
            return "it must be one group"
        return refusal_s16(node)

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        packed = packed_s16(node)
        params: Params = {
            **convolution_params(node, "filter_channels"),
            "turns": _elements(node) // TURN,
            **packed.params(),
        }
        arguments = (
            Activation(x.name),
            Constant("blocks", packed.blocks(_BLOCK)),
            *packed.constants(),
            Scratch(),
            sums_function("two_pixels", two_pixels_body()),
            Activation(y.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        """A patch of two pixels."""
        return 2 * _PIXELS * _elements(node)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """Both pixels' windows are read before either is written; they go upward like single ones."""
        return linear_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        pixels, channels = node.output.elements // node.output.shape[3], node.output.shape[3]
        blocks = padded(channels, _BLOCK) // _BLOCK
        # For two pixels: each block's loop and outputs, and the copies of both windows.
        return pixels / _PIXELS * (blocks * (11.0 * _elements(node) + 160) + 4.0 * _elements(node) + 60)


def _elements(node: BoundNode) -> int:
    """Of a window, in whole turns."""
    weights = node.input(1)
    return padded(weights.elements // weights.shape[0], TURN)


KERNEL = Conv2DDspS16()
