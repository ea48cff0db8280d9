"""Plain C bilinear resizing."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.kernels.portable.resizing import image_sizes, upward_overlap
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.resize import spatial_sizes
from mcu_quant.ops.resize_bilinear import places, steps


class ResizeBilinearS8(Kernel):
    name = "resize_bilinear_s8"
    ops = ("resize_bilinear",)

    def call(self, node: BoundNode) -> KernelCall:
        params = {"images": node.input(0).shape[0]} | image_sizes(node)
        params |= {"channels": node.output.shape[3]} | self.step_params(node)
        return KernelCall(params, tensor_arguments(node, 1))

    def step_params(self, node: BoundNode) -> Params:
        rows, columns = (steps(node.attrs, *sizes) for sizes in spatial_sizes(node))
        return {
            "start_h": rows.start,
            "start_w": columns.start,
            "step_h": rows.step,
            "step_w": columns.step,
        }

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        (rows, _, _), (columns, _, _) = places(node)
        return (upward_overlap(node, rows, columns, rereads=True),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 24.0 * node.output.elements + 20.0 * node.output.elements / node.output.shape[3]


KERNEL = ResizeBilinearS8()
