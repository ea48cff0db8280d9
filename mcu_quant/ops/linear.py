"""What conv_2d, depthwise_conv_2d and fully_connected share: exact sums, requantization, limits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import INT32_MAX, IntArray, quantize_multiplier, requantize, wrap_int32
from mcu_quant.ir import BoundNode
from mcu_quant.ops.base import Constraint, activation_range, scale_ratio

#: Largest magnitudes up to which floating-point sums of integers are exact.
_EXACT_FLOAT32, _EXACT_FLOAT64 = 2**24, 2**53


def operands(inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(x, weights, bias or None)."""
    x, weights = inputs[0], inputs[1]
    assert x is not None and weights is not None
    return x, weights, inputs[2] if len(inputs) > 2 else None


def exact_matmul(x: np.ndarray, weights: np.ndarray, zero_point: int) -> IntArray:
    """sum_k (x[i, k] - zero_point) * weights[k, j], as int64 [rows, columns], by floating-point BLAS.

    x, weights: integers. float32 where |sums| <= 2**24 whatever the order, else float64 (2**53).
    """
    magnitude = np.abs(weights.astype(np.int64)).sum(axis=0).max(initial=0) * widest(zero_point)
    assert magnitude <= _EXACT_FLOAT64
    dtype = np.float32 if magnitude <= _EXACT_FLOAT32 else np.float64
    shifted = x.astype(dtype) - dtype(zero_point)
    return (shifted @ weights.astype(dtype)).astype(np.int64)


def widest(zero_point: int) -> int:
    """The largest |q - zero_point| of an int8 q."""
    return max(127 - zero_point, zero_point + 128)


def channel_multipliers(node: BoundNode) -> tuple[IntArray, IntArray]:
    """(multiplier, shift), each int64 [output channels]; ratio s_in * s_w[c] / s_out in double."""
    weights = node.input(1)
    assert weights.quant is not None
    channels = node.output.shape[-1]
    pairs = [
        quantize_multiplier(scale_ratio((node.input(0).scale, scale), node.output.scale))
        for scale in weights.quant.scale
    ]
    pairs *= channels if len(pairs) == 1 else 1
    multiplier, shift = zip(*pairs, strict=True)
    return np.array(multiplier, np.int64), np.array(shift, np.int64)


def requantize_accumulator(node: BoundNode, acc: IntArray, bias: np.ndarray | None) -> np.ndarray:
    """acc int64 [..., channels] plus bias, requantized and clamped to int8. ARITHMETIC section 5."""
    multiplier, shift = channel_multipliers(node)
    if bias is not None:
        acc = acc + bias.astype(np.int64)
    low, high = activation_range(node.attrs.activation, node.output)
    y = requantize(wrap_int32(acc), multiplier, shift) + node.output.zero_point
    return np.clip(y, low, high).astype(np.int8)


def accumulator_bound(node: BoundNode) -> int:
    """The largest |accumulator| that any int8 input can give, bias included."""
    weights = node.input(1)
    assert weights.data is not None and weights.quant is not None
    axis = weights.quant.channel_axis
    magnitudes = np.abs(weights.data.astype(np.int64))
    others = tuple(i for i in range(magnitudes.ndim) if i != (0 if axis is None else axis))
    sums = magnitudes.sum(axis=others) * widest(node.input(0).zero_point)
    bias = node.optional_input(2)
    if bias is not None and bias.data is not None:
        sums = sums + np.abs(bias.data.astype(np.int64))
    return int(sums.max())


CONSTRAINTS = (
    Constraint(
        "weights must be constant int8",
        lambda node: node.input(1).is_constant and node.input(1).dtype == "int8",
        lambda node: f"{node.input(1).dtype}, {'constant' if node.input(1).is_constant else 'computed'}",
        "quantize the model to full int8",
    ),
    Constraint(
        "the bias must be constant int32 or absent",
        lambda node: (bias := node.optional_input(2)) is None or (bias.is_constant and bias.dtype == "int32"),
        lambda node: node.input(2).dtype,
        "quantize the model to full int8",
    ),
    Constraint(
        "weights must be symmetric (zero_point 0)",
        lambda node: node.input(1).quant is not None and not any(node.input(1).quant.zero_point),
        lambda node: node.input(1).quant,
        "quantize the model with a LiteRT-8-bit-specification quantizer, as mcu-quant quantize does",
    ),
    Constraint(
        "no input may overflow the int32 accumulator",
        lambda node: node.input(1).data is None or accumulator_bound(node) <= INT32_MAX,
        accumulator_bound,
        "fewer inputs per output, or a smaller bias",
    ),
)
