"""Plain C for what takes an int16, or its magnitude, to an int16 by one factor, or one on each side of 0."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.ops.base import quantize_bound, type_limits
from mcu_quant.ops.unary import rescale_multiplier


class RescaleS16(Kernel):
    name = "rescale_s16"
    ops = ("relu", "relu6", "leaky_relu", "quantize", "abs")
    forms = ("int16",)

    def refusal(self, node: BoundNode) -> str | None:
        if node.input(0).dtype != "int16" or node.output.dtype != "int16":
            return "input and output must be int16"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        op, x = node.node.op, node.input(0)
        alpha = node.attrs.alpha if op == "leaky_relu" else 1.0
        multiplier, shift = rescale_multiplier(node)
        negative_multiplier, negative_shift = rescale_multiplier(node, abs(alpha))
        low, high = type_limits(node.output)
        if op in ("relu", "relu6"):
            low = 0
        if op == "relu6":
            high = min(high, quantize_bound(6.0, x))
        params = {
            "size": x.elements,
            "multiplier": multiplier,
            "shift": shift,
            "negative_multiplier": negative_multiplier,
            "negative_shift": negative_shift,
            "negative_sign": -1 if alpha < 0 else 1,
            "is_magnitude": int(op == "abs"),
            "output_min": low,
            "output_max": high,
        }
        return KernelCall(params, (Activation(x.name), Activation(node.output.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 25.0 * node.output.elements


KERNEL = RescaleS16()
