"""Plain C index of the largest or smallest float."""

from __future__ import annotations

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.arg_extremum import ArgExtremum
from mcu_quant.kernels.portable.walk import Params


class ArgExtremumF32(ArgExtremum):
    name = "arg_extremum_f32"
    forms = ("float",)

    def more(self, node: BoundNode) -> Params:
        return {}


KERNEL = ArgExtremumF32()
