"""Depthwise convolution of int16 for the DSP extension: four channels at once, no scratch."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.dsp.packed_s16 import packed_s16, refusal_s16
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.kernels.portable.windows import linear_overlap, window_steps
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.depthwise_conv_2d import depth_multiplier

#: The order of four channels in a word: SXTB16 takes bytes 0 and 2, then 1 and 3.
_ORDER = (0, 2, 1, 3)


class DepthwiseConv2DDspS16(Kernel):
    name = "depthwise_conv_2d_dsp_s16"
    family = "dsp"
    ops = ("depthwise_conv_2d",)
    forms = ("int16",)

    def refusal(self, node: BoundNode) -> str | None:
        if depth_multiplier(node) != 1 or node.output.shape[3] % len(_ORDER):
            return "its channels must be those of the input, and a multiple of 4"
        return refusal_s16(node)

    def call(self, node: BoundNode) -> KernelCall:
        x, y, weights = node.input(0), node.output, node.input(1)
        packed = packed_s16(node)
        params: Params = {
            "input_h": x.shape[1],
            "input_w": x.shape[2],
            "channels": x.shape[3],
            "filter_h": weights.shape[1],
            "filter_w": weights.shape[2],
            "output_h": y.shape[1],
            "output_w": y.shape[2],
            **window_steps(node),
            **packed.params(),
        }
        assert weights.data is not None
        quads = weights.data.reshape(-1, len(_ORDER))[:, _ORDER]
        words = np.ascontiguousarray(quads).view("<i4").astype(np.int32).reshape(-1)
        arguments = (Activation(x.name), Constant("words", words), *packed.constants(), Activation(y.name))
        return KernelCall(params, arguments)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return linear_overlap(node)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 5.0 * OPERATORS[node.node.op].macs(node) + 25.0 * node.output.elements


KERNEL = DepthwiseConv2DDspS16()
