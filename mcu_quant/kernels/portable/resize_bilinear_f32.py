"""Plain C bilinear resizing of floats."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.resize_bilinear_s8 import ResizeBilinearS8
from mcu_quant.kernels.portable.walk import Params
from mcu_quant.ops.resize import float_scale, spatial_sizes


class ResizeBilinearF32(ResizeBilinearS8):
    """Goes through its input as the int8 kernel does."""

    name = "resize_bilinear_f32"
    forms = ("float",)

    def step_params(self, node: BoundNode) -> Params:
        scale_h, scale_w = (float(float_scale(node.attrs, *sizes)) for sizes in spatial_sizes(node))
        half = 0.5 if node.attrs.half_pixel_centers else 0.0
        return {"half": half, "scale_h": scale_h, "scale_w": scale_w}


KERNEL = ResizeBilinearF32()
