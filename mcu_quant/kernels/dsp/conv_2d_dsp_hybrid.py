"""Hybrid convolution for the DSP extension: the input in int16 steps, then the sums of the int16 kernel."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, KernelCall, Scratch
from mcu_quant.kernels.dsp.assembly_s16 import sums_function, two_pixels_body
from mcu_quant.kernels.dsp.linear import padded
from mcu_quant.kernels.dsp.packed_s16 import TURN, weight_blocks
from mcu_quant.kernels.portable.float_params import float_bounds, float_tables
from mcu_quant.kernels.portable.hybrid import HybridKernel
from mcu_quant.kernels.portable.windows import convolution_params

_BLOCK, _PIXELS = 4, 2


class Conv2DDspHybrid(HybridKernel):
    name = "conv_2d_dsp_hybrid"
    family = "dsp"
    ops = ("conv_2d",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(1).shape[3] != node.input(0).shape[3]:
            return "it must be one group"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        params = convolution_params(node, "filter_channels")
        params |= {"turns": _elements(node) // TURN} | float_bounds(node.attrs.activation)
        _, scale, bias = float_tables(node)
        arguments = (
            Activation(node.input(0).name),
            Constant("blocks", weight_blocks(node, _BLOCK)),
            scale,
            bias,
            Scratch(),
            sums_function("two_pixels", two_pixels_body()),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        """The input in steps, and a patch of two pixels."""
        return padded(2 * node.input(0).elements, 4) + 2 * _PIXELS * _elements(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        pixels, channels = node.output.elements // node.output.shape[3], node.output.shape[3]
        blocks = padded(channels, _BLOCK) // _BLOCK
        pair = blocks * (11.0 * _elements(node) + 200) + 4.0 * _elements(node) + 60
        return pixels / _PIXELS * pair + 35.0 * node.input(0).elements


def _elements(node: BoundNode) -> int:
    """Of a window, in whole turns."""
    weights = node.input(1)
    return padded(weights.elements // weights.shape[0], TURN)


KERNEL = Conv2DDspHybrid()
