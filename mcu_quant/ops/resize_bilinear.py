"""resize_bilinear: each pixel is a weighted mean of the four around its place in the input."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.resize import ResizeAttrs, ResizeOperator, float_scale, spatial_sizes

#: Places in the input have so many binary digits behind the point in the integer forms.
PLACE_BITS = 10
_ONE = 1 << PLACE_BITS


@dataclass(frozen=True)
class Steps:
    """Places along an axis, in 1/1024 pixels: start + index * step."""

    start: int
    step: int


class ResizeBilinear(ResizeOperator):
    name = "resize_bilinear"
    tflite_builtins = ("RESIZE_BILINEAR",)
    oracles = MappingProxyType({"int16": "LiteRT"})
    constraints = (
        *ResizeOperator.constraints,
        Constraint(
            "steps of 1/1024 pixel must not lead out of the image",
            lambda node: all(
                _last_place(node.attrs, *sizes) >> PLACE_BITS < sizes[0] for sizes in spatial_sizes(node)
            ),
            lambda node: f"{node.input(0).shape[1:3]} to {node.output.shape[1:3]}",
            "resize in two steps",
        ),
    )

    def resized(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        if x.dtype.kind == "f":
            return _weighted(x, *places(node), np.float32(1))
        total = _weighted(x.astype(np.int64), *places(node), _ONE)
        half = 1 << (2 * PLACE_BITS - 1)
        rounded = (np.abs(total) + half) >> 2 * PLACE_BITS  # half away from zero
        return (np.sign(total) * rounded).astype(x.dtype)


#: Along an axis, for each place: the pixels before and behind it, and how far it is from the one before.
Places = tuple[IntArray, IntArray, np.ndarray]


def places(node: BoundNode) -> tuple[Places, Places]:
    """Of rows and of columns, in the node's form."""
    of_axis = float_places if form_of(node) == "float" else _integer_places
    rows, columns = (of_axis(node.attrs, *sizes) for sizes in spatial_sizes(node))
    return rows, columns


def steps(attrs: ResizeAttrs, size: int, out_size: int) -> Steps:
    """For the integer forms; rounded divisions of integers, as TFLM has them."""
    step = (_ONE * size + out_size // 2) // out_size
    if attrs.align_corners and out_size > 1:
        step = (_ONE * (size - 1) + (out_size - 1) // 2) // (out_size - 1)
    return Steps(step // 2 - _ONE // 2 if attrs.half_pixel_centers else 0, step)


def _last_place(attrs: ResizeAttrs, size: int, out_size: int) -> int:
    found = steps(attrs, size, out_size)
    return found.start + (out_size - 1) * found.step


def _integer_places(attrs: ResizeAttrs, size: int, out_size: int) -> Places:
    found = steps(attrs, size, out_size)
    place = found.start + found.step * np.arange(out_size, dtype=np.int64)
    # A place before the first pixel, by half of one at most, has that pixel on both sides.
    low = np.maximum(place >> PLACE_BITS, 0)
    high = np.minimum((place + _ONE - 1) >> PLACE_BITS, size - 1)
    return low, high, place - (low << PLACE_BITS)


def float_places(attrs: ResizeAttrs, size: int, out_size: int) -> Places:
    half = np.float32(0.5 if attrs.half_pixel_centers else 0.0)
    place = (np.arange(out_size, dtype=np.float32) + half) * float_scale(attrs, size, out_size) - half
    low = np.maximum(np.floor(place).astype(np.int64), 0)
    high = np.minimum(np.ceil(place).astype(np.int64), size - 1)
    return low, high, place - low.astype(np.float32)


def _weighted(x: np.ndarray, rows: Places, columns: Places, one: int | np.float32) -> np.ndarray:
    """The four products, summed; `one` is the sum of two weights along an axis."""
    (top, bottom, down), (left, right, across) = rows, columns
    down = down[:, None, None]
    across = across[:, None]
    above, below = x[:, top], x[:, bottom]
    return np.asarray(
        above[:, :, left] * ((one - down) * (one - across))
        + below[:, :, left] * (down * (one - across))
        + above[:, :, right] * ((one - down) * across)
        + below[:, :, right] * (down * across)
    )


OPERATOR = ResizeBilinear()
