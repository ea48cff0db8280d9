"""Plain C quantization of float32."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall


class QuantizeF32(Kernel):
    name = "quantize_f32"
    ops = ("quantize",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(0).dtype != "float32" or node.output.dtype not in ("int8", "uint8"):
            return "the input must be float32 and the output int8 or uint8"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        limits = np.iinfo(y.dtype)
        params = {
            "size": x.elements,
            "scale": y.scale,
            "zero_point": y.zero_point,
            "output_min": int(limits.min),
            "output_max": int(limits.max),
        }
        return KernelCall(params, (Activation(x.name), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 100.0 * node.output.elements


KERNEL = QuantizeF32()
