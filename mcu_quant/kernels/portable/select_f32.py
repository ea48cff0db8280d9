"""Plain C selection of floats by a condition."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.select_s8 import SelectS8


class SelectF32(SelectS8):
    """Goes through its operands as the int8 kernel does."""

    name = "select_f32"
    forms = ("float",)

    def overlap(self, node: BoundNode) -> tuple[int | None, ...]:
        """A float takes the place of one; of a byte it would cover those behind."""
        return (None, *super().overlap(node)[1:])


KERNEL = SelectF32()
