"""Plain C resizing to the nearest pixels, of bytes of whatever type."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import IntArray
from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Constant, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.resizing import image_sizes, pixel_bytes, upward_overlap
from mcu_quant.ops.resize import spatial_sizes
from mcu_quant.ops.resize_nearest_neighbor import nearest


class ResizeNearestS8(Kernel):
    name = "resize_nearest_s8"
    ops = ("resize_nearest_neighbor",)
    forms = ("int8", "int16", "float")

    def call(self, node: BoundNode) -> KernelCall:
        rows, columns = _places(node)
        return KernelCall(
            {"images": node.input(0).shape[0]} | image_sizes(node) | {"pixel_bytes": pixel_bytes(node)},
            (
                Activation(node.input(0).name),
                Constant("rows", rows.astype(np.uint16)),
                Constant("columns", columns.astype(np.uint16)),
                Activation(node.output.name),
            ),
        )

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (upward_overlap(node, *_places(node), rereads=False),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 5.0 * node.output.bytes / pixel_bytes(node) + 1.0 * node.output.bytes


def _places(node: BoundNode) -> tuple[IntArray, IntArray]:
    rows, columns = (nearest(node.attrs, *sizes) for sizes in spatial_sizes(node))
    return rows, columns


KERNEL = ResizeNearestS8()
