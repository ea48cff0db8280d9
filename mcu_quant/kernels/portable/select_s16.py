"""Plain C selection of int16 by a condition."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.select_s8 import SelectS8


class SelectS16(SelectS8):
    """Goes through its operands as the int8 kernel does."""

    name = "select_s16"
    forms = ("int16",)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """In place; of the condition, a byte each, none may be overwritten before it is read."""
        condition, *operands = super().overlap(node)
        return (None if condition is None else node.output.elements - 1, *operands)


KERNEL = SelectS16()
