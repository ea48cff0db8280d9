"""Plain C quantization of float32 to int16."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall


class QuantizeF32S16(Kernel):
    name = "quantize_f32_s16"
    ops = ("quantize",)
    forms = ("int16",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(0).dtype != "float32" or node.output.dtype != "int16":
            return "the input must be float32 and the output int16"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        return KernelCall({"size": x.elements, "scale": y.scale}, (Activation(x.name), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 100.0 * node.output.elements


KERNEL = QuantizeF32S16()
