"""Plain C comparison of int8."""

from __future__ import annotations

from mcu_quant.fixed_point import quantize_multiplier
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.kernels.base import Core
from mcu_quant.kernels.portable.compare import Compare
from mcu_quant.kernels.portable.walk import Params


class CompareS8(Compare):
    name = "compare_s8"

    def more(self, first: Tensor, second: Tensor) -> Params:
        params: Params = {}
        for label, tensor in (("first", first), ("second", second)):
            multiplier, shift = quantize_multiplier(tensor.scale)
            params[f"{label}_zero_point"] = tensor.zero_point
            params[f"{label}_multiplier"] = multiplier
            params[f"{label}_shift"] = shift
        return params

    def cycles(self, node: BoundNode, core: Core) -> float:
        return 40.0 * node.output.elements


KERNEL = CompareS8()
