"""What moves nothing runs nothing: the output is the input's bytes."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.base import Core, Kernel, KernelCall
from mcu_quant.ops.forms import FORMS
from mcu_quant.ops.mover import moves_nothing


class Alias(Kernel):
    """A reshape; a transposition of axes of size 1; a slice of everything."""

    name = "alias"
    ops = ("reshape", "strided_slice", "transpose", "broadcast_to")
    forms = FORMS
    is_alias = True

    def refusal(self, node: BoundNode) -> str | None:
        return None if moves_nothing(node) else "elements change their places"

    def call(self, node: BoundNode) -> KernelCall:
        raise AssertionError(f"{node.name}: an alias is not called")

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 0.0


KERNEL = Alias()
