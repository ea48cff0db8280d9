"""Plain C for 1 / sqrt of int16."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall, tensor_arguments
from mcu_quant.ops.rsqrt import FRACTION_BITS, root_multiplier


class RsqrtS16(Kernel):
    name = "rsqrt_s16"
    ops = ("rsqrt",)
    forms = ("int16",)

    def call(self, node: BoundNode) -> KernelCall:
        multiplier, shift = root_multiplier(node)
        params = {
            "size": node.output.elements,
            "fraction_bits": FRACTION_BITS,
            "multiplier": multiplier,
            "shift": shift,
        }
        return KernelCall(params, tensor_arguments(node, 1))

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        return (0,)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 160.0 * node.output.elements


KERNEL = RsqrtS16()
