"""Convolution on thumb-1 from the model's own weights: two pixels share each product.

Slower than conv_2d_pairs_s8 by a fifth, but its tables are no larger than the portable kernel's. Scratch
holds four windows, as words for two pixels each; windows that are not input bytes in order are copied
first.
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall, Scratch
from mcu_quant.kernels.thumb1.conv_2d_pairs_s8 import Geometry, geometry_of
from mcu_quant.kernels.thumb1.dot import pairs_fit
from mcu_quant.kernels.thumb1.four_pixels import (
    PIXELS,
    four_pixels_function,
    interleave_function,
)
from mcu_quant.kernels.thumb1.requantize import Form, form_of

_SCRATCH_BYTES = 2048


class Conv2DFourPixelsS8(Kernel):
    name = "conv_2d_four_pixels_s8"
    family = "thumb1"
    ops = ("conv_2d", "fully_connected")
    modes = ("balanced", "size")

    def refusal(self, node: BoundNode) -> str | None:
        if node.node.op == "conv_2d" and node.input(1).shape[3] != node.input(0).shape[3]:
            return "a convolution must have one group"
        if node.node.op == "conv_2d" and node.attrs.dilation != (1, 1):
            return "dilation must be 1"
        if not pairs_fit(_rows(node).astype(np.int64)):
            return "two neighbouring weights must not both be -128"
        if self.scratch_bytes(node) > max(_SCRATCH_BYTES, node.input(0).bytes + node.output.bytes):
            return "windows must be small"
        form = form_of(node)
        if form is None or len(form.exact) * 8 > node.output.shape[-1]:
            return "most output channels must have a proven short requantization"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        geometry, form = geometry_of(node), _form(node)
        height, width = geometry.height, geometry.width
        params = {
            "input_h": height.input_size,
            "input_w": width.input_size,
            "input_channels": geometry.input_channels,
            "filter_h": height.filter_size,
            "filter_w": width.filter_size,
            "output_h": height.output_size,
            "output_w": width.output_size,
            "output_channels": geometry.output_channels,
            "stride_h": height.stride,
            "stride_w": width.stride,
            "padding_h": height.before,
            "padding_w": width.before,
            "input_zero_point": node.input(0).zero_point,
            "is_in_order": int(_is_in_order(geometry)),
            "exact_channels": len(form.exact),
            **form.params(),
        }
        arguments = (
            Activation(node.input(0).name),
            Constant("weights", _rows(node)),
            Constant("constants", form.constants),
            Constant("exact", form.exact if len(form.exact) else np.zeros((1, 4), np.int32)),
            four_pixels_function(form, geometry.taps),
            interleave_function(),
            Scratch(),
            Activation(node.output.name),
        )
        return KernelCall(params, arguments)

    def scratch_bytes(self, node: BoundNode) -> int:
        geometry = geometry_of(node)
        return geometry.taps * (8 if _is_in_order(geometry) else 8 + PIXELS)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (geometry_of(node).overlap(PIXELS), *(None for _ in node.inputs[1:]))

    def cycles(self, node: BoundNode, core: Core) -> float:
        """8 products, a channel, a tap laid out, rows that are copied: fitted to docs/benchmarks.json.

        memcpy takes words where a pixel's channels are whole words, else bytes.
        """
        geometry, form = geometry_of(node), _form(node)
        channel = 24.6 * (geometry.taps // 2) + 92 + 8 * (form.digits - 2) + 25 * form.short.is_signed
        lay_out = 18.6 * geometry.taps
        if not _is_in_order(geometry):
            is_aligned = geometry.input_channels % 4 == 0
            lay_out = (32 if is_aligned else 80) * geometry.taps + 140 * geometry.height.filter_size
        exact = 27.0 * len(form.exact) * PIXELS * geometry.taps
        return len(geometry.blocks_of(PIXELS)) * (geometry.output_channels * channel + lay_out + 310 + exact)


def _form(node: BoundNode) -> Form:
    form = form_of(node)
    assert form is not None, node.name
    return form


def _is_in_order(geometry: Geometry) -> bool:
    """A window is a pixel's channels, an even number."""
    return geometry.taps == geometry.input_channels and geometry.height.filter_size == 1


def _rows(node: BoundNode) -> np.ndarray:
    """Weights int8 [output channels, taps made even], in the model's order."""
    weights = node.input(1)
    assert weights.data is not None
    rows = weights.data.reshape(weights.shape[0], -1)
    return np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))


KERNEL = Conv2DFourPixelsS8()
