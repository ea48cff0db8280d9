"""Plain C casts among integers and conditions."""

from __future__ import annotations

from typing import ClassVar

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Activation, Core, Kernel, KernelCall
from mcu_quant.kernels.portable.walk import Params, element_bytes

#: In the order of MQ_CAST_… of mq_cast.h.
TYPES = ("bool", "int8", "int16", "int32", "int64", "float32")


class CastInteger(Kernel):
    name = "cast_integer"
    ops = ("cast",)
    forms: ClassVar[tuple[str, ...]] = ("int8", "int16", "plain")

    def refusal(self, node: BoundNode) -> str | None:
        return "input and output must be integers" if _has_float(node) else None

    def call(self, node: BoundNode) -> KernelCall:
        x, y = node.input(0), node.output
        params: Params = {
            "size": y.elements,
            "from": TYPES.index(x.dtype),
            "to": TYPES.index(y.dtype),
        }
        return KernelCall(params | self.more(node), (Activation(x.name), Activation(y.name)))

    def more(self, node: BoundNode) -> Params:
        """Further parameters."""
        return {}

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """Each element is read before its place is written; a wider output must not reach the next ones."""
        wider = element_bytes(node.output) - element_bytes(node.input(0))
        return (max(wider, 0) * (node.output.elements - 1),)

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 10.0 * node.output.elements


def _has_float(node: BoundNode) -> bool:
    return "float32" in (node.input(0).dtype, node.output.dtype)


KERNEL = CastInteger()
