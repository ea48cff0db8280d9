"""Plain C casts from and to floats."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.kernels.portable.cast_integer import CastInteger
from mcu_quant.kernels.portable.walk import Params


class CastF32(CastInteger):
    name = "cast_f32"
    forms = ("float", "int8", "int16")

    def refusal(self, node: BoundNode) -> str | None:
        return "input or output must be float32" if super().refusal(node) is None else None

    def more(self, node: BoundNode) -> Params:
        if node.output.dtype in ("float32", "bool"):
            return {"low": 0.0, "high": 0.0, "lowest": 0, "highest": 0}
        limits = np.iinfo(node.output.dtype)
        # The last floats in front of the next whole numbers, which the type does not hold.
        high = np.nextafter(np.float32(float(limits.max) + 1.0), np.float32(0))
        low = np.nextafter(np.float32(float(limits.min) - 1.0), np.float32(0))
        bounds: Params = {"low": float(low), "high": float(high)}
        return bounds | {"lowest": int(limits.min), "highest": int(limits.max)}


KERNEL = CastF32()
