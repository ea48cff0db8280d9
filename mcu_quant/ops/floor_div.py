"""floor_div: the largest whole number that is not above the quotient; the operands broadcast."""

from __future__ import annotations

import numpy as np

from mcu_quant.fixed_point import wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.ops.float_binary import FloatBinary


class FloorDiv(FloatBinary):
    """Of floats by way of a quotient in double. Of int32: by 0 it is 0, and what does not fit wraps."""

    name = "floor_div"
    plain_form = ("int32",)
    float_is_exact = True
    tflite_builtins = ("FLOOR_DIV",)
    options_type = "FloorDivOptions"

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if a.dtype.kind == "f":
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.floor(a.astype(np.float64) / b.astype(np.float64)).astype(np.float32)
        wide, divisor = a.astype(np.int64), np.where(b == 0, 1, b.astype(np.int64))
        return wrap_int32(np.where(b == 0, 0, wide // divisor)).astype(a.dtype)


OPERATOR = FloorDiv()
