"""floor_mod: what a division leaves, of the denominator's sign; the operands broadcast."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.float_binary import FloatBinary


class FloorMod(FloatBinary):
    """Of int32: by 0 it is 0."""

    name = "floor_mod"
    plain_form = ("int32",)
    float_is_exact = True
    tflite_builtins = ("FLOOR_MOD",)
    options_type = "FloorModOptions"

    def meaning(self, node: BoundNode, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        if a.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                rest = np.fmod(a, b)
                return np.where((rest != 0) & ((b < 0) != (rest < 0)), rest + b, rest)
        divisor = np.where(b == 0, 1, b.astype(np.int64))
        return np.where(b == 0, 0, a.astype(np.int64) % divisor).astype(a.dtype)


OPERATOR = FloorMod()
