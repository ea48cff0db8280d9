"""How small the output scale of a linear operator may be before its arithmetic stops being right.

Ranges from calibration are hardly ever near these limits; a dead layer, or one fed with constants,
can be. Widening a scale costs precision that nobody could see; not widening it gives garbage or,
in TFLM, an abort (NUMERICS.md).
"""

from __future__ import annotations

import numpy as np

from mcu_quant.ops.linear import widest
from mcu_quant.quantize.activation_types import INT8, ActivationType
from mcu_quant.quantize.schemes import Constant

#: A float32 scale a little above a limit is above it in every rounding.
_MARGIN = 1.001


#: int64 accumulators bear ratios below 2**7 (linear.CONSTRAINTS).
_LARGEST_INT64_RATIO = 2.0**7


def least_linear_output_scale(
    x_scale: float,
    x_zero_point: int,
    weights: Constant,
    bias: Constant | None,
    kind: ActivationType = INT8,
) -> float:
    """The accumulator of no channel may overflow when a ratio above 1 shifts it left.

    ratio = m * 2**shift with m in [0.5, 1), so 2**shift <= 2 * ratio: with |acc| <= B,
    ratio * B <= 2**30 suffices, and so does ratio < 1 (no left shift). An int64 accumulator is only
    truncated to int32 once it is scaled: there ratio * B <= 2**30 is what counts.
    """
    q_weights, quant = weights
    axis = quant.channel_axis
    others = tuple(i for i in range(q_weights.ndim) if i != axis)
    sums = np.abs(q_weights.astype(np.int64)).sum(axis=others, dtype=np.int64) * widest(
        x_zero_point, kind.dtype
    )
    if bias is not None:
        sums = sums + np.abs(bias[0].astype(np.int64))
    share = np.asarray(sums) / 2**30
    if kind.bias_dtype == "int32":
        share = np.minimum(_MARGIN, share)
    else:
        share = np.maximum(_MARGIN / _LARGEST_INT64_RATIO, share)
    return float((x_scale * np.asarray(quant.scale) * share).max())
