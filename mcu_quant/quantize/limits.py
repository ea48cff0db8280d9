"""How small a scale may be beside others before the integer arithmetic stops being right.

Ranges from calibration are hardly ever near these limits; a dead layer, or one fed with constants,
can be. Widening a scale costs precision that nobody could see; not widening it gives garbage or,
in TFLM, an abort (NUMERICS.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mcu_quant.ir import BoundNode
from mcu_quant.ops.linear import widest
from mcu_quant.quantize.schemes import Constant

#: A float32 scale a little above a limit is above it in every rounding.
_MARGIN = 1.001


def least_linear_output_scale(
    x_scale: float, x_zero_point: int, weights: Constant, bias: Constant | None
) -> float:
    """The accumulator of no channel may overflow when a ratio above 1 shifts it left.

    ratio = m * 2**shift with m in [0.5, 1), so 2**shift <= 2 * ratio: with |acc| <= B,
    ratio * B <= 2**30 suffices, and so does ratio < 1 (no left shift).
    """
    q_weights, quant = weights
    axis = quant.channel_axis
    others = tuple(i for i in range(q_weights.ndim) if i != axis)
    sums = np.abs(q_weights.astype(np.int64)).sum(axis=others, dtype=np.int64) * widest(x_zero_point)
    if bias is not None:
        sums = sums + np.abs(bias[0].astype(np.int64))
    share = np.minimum(_MARGIN, np.asarray(sums) / 2**30)
    return float((x_scale * np.asarray(quant.scale) * share).max())


def _add(attrs: Any, scales: Sequence[float]) -> float:
    """TFLM aborts where 2 * max(s1, s2) / (2**20 * s_out) is 1 or more."""
    return 2 * max(scales) / 2**20 * _MARGIN


def _mul(attrs: Any, scales: Sequence[float]) -> float:
    """The product of two inputs (below 2**17) is shifted left by less than 2**13."""
    return float(np.prod(scales)) / 2**12


def _rescale(attrs: Any, scales: Sequence[float]) -> float:
    """One input (below 2**9, or a mean of such) is shifted left by less than 2**21."""
    return max(scales) * max(1.0, abs(getattr(attrs, "alpha", 1.0))) / 2**20


_OUTPUT_LIMITS: dict[str, Callable[[Any, Sequence[float]], float]] = {
    "add": _add,
    "sub": _add,
    "mul": _mul,
    "mean": _rescale,
    "quantize": _rescale,
    "relu": _rescale,
    "leaky_relu": _rescale,
}

#: The input's multiplier must exceed 1 after the operator's own power of two: 2**26 (softmax), 2**27.
_INPUT_LIMITS: dict[str, float] = {"softmax": 2.0**-25, "logistic": 2.0**-24, "tanh": 2.0**-24}


def least_output_scale(node: BoundNode, input_scales: Sequence[float]) -> float:
    """For operators without weights: the smallest output scale that these input scales allow."""
    limit = _OUTPUT_LIMITS.get(node.node.op)
    return 0.0 if limit is None or not input_scales else limit(node.attrs, input_scales)


def least_input_scale(node: BoundNode) -> float:
    beta = abs(getattr(node.attrs, "beta", 1.0)) or 1.0
    return _INPUT_LIMITS.get(node.node.op, 0.0) / min(beta, 1.0)
