"""How a convolution's input is laid out for the inner loops: strips of whole windows, expanded to int16.

A strip is a run of output pixels of one row. For each input column that they need, its patch holds
filter_h rows of channels, so that a pixel's window is one run in it, `pixel_step` elements after the
last pixel's. Columns that windows share are there once, unless taps are dilated or windows far apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.dsp.linear import byte_order, padded
from mcu_quant.kernels.portable.windows import row_overlap
from mcu_quant.ops.conv_2d import axes_of
from mcu_quant.ops.windows import WindowAxes, WindowAxis

#: How large a patch of windows that share columns may be, in bytes, if that is enough for two pixels.
_PATCH_BYTES = 1024


@dataclass(frozen=True)
class Geometry:
    """A convolution, or a fully connected layer as one: its pixels are independent rows.

    is_flat: each output pixel needs the input pixel of the same number alone, so that all are one row.
    patch_bytes: how large a patch may be, if that is enough for two pixels.
    """

    height: WindowAxis
    width: WindowAxis
    channels: int
    outputs: int
    is_flat: bool
    patch_bytes: int

    @property
    def shares_columns(self) -> bool:
        return self.width.dilation == 1 and self.width.stride <= self.width.filter_size

    @property
    def pixel_step(self) -> int:
        """Elements of a patch from one pixel's window to the next one's."""
        columns = self.width.stride if self.shares_columns else self.width.filter_size
        return columns * self.height.filter_size * self.channels

    @property
    def window(self) -> int:
        """Elements of a window."""
        return self.height.filter_size * self.width.filter_size * self.channels

    @property
    def pixels(self) -> int:
        return self.height.output_size * self.width.output_size

    def patch_elements(self, pixels: int) -> int:
        """int16 of a patch, what is read past its end (to whole words of four) included."""
        return padded((pixels - 1) * self.pixel_step + padded(self.window, 4), 2)

    @property
    def strip(self) -> int:
        """Output pixels of a strip: all of a row, or an even number."""
        whole = self.width.output_size
        room = max((self.patch_bytes // 2 - self.window - 1) // self.pixel_step + 1, 2)
        if room >= whole:
            return whole
        strips = -(-whole // (room & ~1))
        return padded(-(-whole // strips), 2)

    @property
    def has_odd_strips(self) -> bool:
        strip, whole = self.strip, self.width.output_size
        return strip % 2 == 1 or whole % strip % 2 == 1

    def order(self) -> IntArray:
        """Where each element of a window, in the patch's order, is in the weights [h, w, channels]."""
        shape = (self.height.filter_size, self.width.filter_size, self.channels)
        elements = np.arange(self.window).reshape(shape)[:, :, byte_order(self.channels)]
        return elements.transpose(1, 0, 2).reshape(-1)

    def overlap(self, node: BoundNode) -> int:
        """The least address(input) - address(output): a strip is read before its outputs are written."""
        if not self.is_flat:
            return row_overlap(node, axes_of(node))
        strip, pixels = self.strip, self.width.output_size
        ends = {min(strip, pixels), (pixels - 1) // strip * strip} - {pixels, 0}
        growth = self.outputs - self.channels
        return max((end * growth for end in ends), default=-node.input(0).bytes)


def geometry(node: BoundNode, flat_bytes: int) -> Geometry:
    """flat_bytes: how large the patch of a layer may be that is flat."""
    x, y = node.input(0), node.output
    if node.node.op == "fully_connected":
        outputs, size = node.input(1).shape
        return Geometry(_pixel_axis(1), _pixel_axis(x.elements // size), size, outputs, True, flat_bytes)
    height, width = axes_of(node)
    if _is_pointwise((height, width)):
        rows, pixels = _pixel_axis(1), _pixel_axis(y.shape[1] * y.shape[2])
        return Geometry(rows, pixels, x.shape[3], y.shape[3], True, flat_bytes)
    return Geometry(height, width, x.shape[3], y.shape[3], False, _PATCH_BYTES)


def _pixel_axis(size: int) -> WindowAxis:
    return WindowAxis(size, 1, 1, 1, 0, size)


def _is_pointwise(axes: WindowAxes) -> bool:
    return all(axis.filter_size == 1 and axis.stride == 1 and axis.before == 0 for axis in axes)
