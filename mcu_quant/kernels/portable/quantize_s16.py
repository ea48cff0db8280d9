"""Plain C between int8 and int16."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.ops.unary import rescale_multiplier


class QuantizeS16(Kernel):
    name = "quantize_s16"
    ops = ("quantize",)
    forms = ("int16",)

    def refusal(self, node: BoundNode) -> str | None:
        if {node.input(0).dtype, node.output.dtype} != {"int8", "int16"}:
            return "one of input and output must be int8, the other int16"
        return None

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        multiplier, shift = rescale_multiplier(node)
        params = {
            "size": x.elements,
            "widens": int(y.dtype == "int16"),
            "input_zero_point": x.zero_point,
            "output_zero_point": y.zero_point,
            "multiplier": multiplier,
            "shift": shift,
        }
        return KernelCall(params, (Activation(x.name), Activation(y.name)))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        # To int16: output i ends at byte 2 * i + 2, which input i + 1 must not lie before.
        return (node.output.elements - 1 if node.output.dtype == "int16" else 0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 25.0 * node.output.elements


KERNEL = QuantizeS16()
