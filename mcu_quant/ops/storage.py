"""What constants of float nodes are stored as: float32, float16, or int8 with a scale (weights alone)."""

from __future__ import annotations

import numpy as np

from mcu_quant.ir import Tensor

#: The types of a float node's constants; int8 only as weights.
STORED = ("float32", "float16", "int8")


def real_values(tensor: Tensor, value: np.ndarray) -> np.ndarray:
    """float32 values of a constant: halves widened (exactly), int8 as scale * (q - zero_point).

    That product is one float32 multiplication each. Other types are as they are.
    """
    if tensor.dtype == "float16":
        return value.astype(np.float32)
    if tensor.dtype != "int8" or tensor.quant is None:
        return value
    rank = len(tensor.shape)
    steps = value.astype(np.int32) - tensor.quant.broadcast_zero_point(rank).astype(np.int32)
    return np.asarray(steps.astype(np.float32) * tensor.quant.broadcast_scale(rank).astype(np.float32))
