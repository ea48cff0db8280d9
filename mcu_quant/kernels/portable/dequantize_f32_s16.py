"""Plain C dequantization of int16 to float32."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall


class DequantizeF32S16(Kernel):
    name = "dequantize_f32_s16"
    ops = ("dequantize",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        return KernelCall({"size": x.elements, "scale": x.scale}, (Activation(x.name), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        # Output i ends at byte 4 * i + 4, which input i + 1 must not lie before.
        return (2 * (node.output.elements - 1),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 40.0 * node.output.elements


KERNEL = DequantizeF32S16()
