"""resize_nearest_neighbor: each pixel is the nearest one of the input. Raw bytes."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.ops.resize import ResizeAttrs, ResizeOperator, float_scale, spatial_sizes


class ResizeNearestNeighbor(ResizeOperator):
    name = "resize_nearest_neighbor"
    float_is_exact = True
    is_selection = True
    tflite_builtins = ("RESIZE_NEAREST_NEIGHBOR",)

    def resized(self, node: BoundNode, x: np.ndarray) -> np.ndarray:
        rows, columns = (nearest(node.attrs, *sizes) for sizes in spatial_sizes(node))
        return x[:, rows][:, :, columns]


def nearest(attrs: ResizeAttrs, size: int, out_size: int) -> IntArray:
    """The input's row (or column) for each of the output's, in float32 as TFLM computes it."""
    middle = np.float32(0.5 if attrs.half_pixel_centers else 0.0)
    place = (np.arange(out_size, dtype=np.float32) + middle) * float_scale(attrs, size, out_size)
    # Halves away from zero; the sum is exact, as places are below 2**16.
    whole = np.floor(place.astype(np.float64) + (0.5 if attrs.align_corners else 0.0))
    return np.clip(whole.astype(np.int64), 0, size - 1)


OPERATOR = ResizeNearestNeighbor()
