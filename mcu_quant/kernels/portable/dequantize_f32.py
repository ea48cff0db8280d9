"""Plain C dequantization to float32."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall


class DequantizeF32(Kernel):
    name = "dequantize_f32"
    ops = ("dequantize",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(0).dtype not in ("int8", "uint8") or node.output.dtype != "float32":
            return "the input must be int8 or uint8 and the output float32"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x = node.input(0)
        params = {
            "size": x.elements,
            "is_signed": int(x.dtype == "int8"),
            "scale": x.scale,
            "zero_point": x.zero_point,
        }
        return KernelCall(params, (Activation(x.name), Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        # Output i ends at byte 4 * i + 4, which input i + 1 must not lie before.
        return (3 * (node.output.elements - 1),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 40.0 * node.output.elements


KERNEL = DequantizeF32()
