"""What conv_2d, depthwise_conv_2d and fully_connected share: exact sums, requantization, limits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, INT32_MAX, IntArray, quantize_multiplier, requantize, wrap_int32
from mcu_quant.ir import BoundNode, Tensor
from mcu_quant.ops.base import (
    Constraint,
    Operator,
    activation_range,
    float_activation,
    scale_ratio,
)
from mcu_quant.ops.windows import sample_chunks

#: Largest magnitudes up to which floating-point sums of integers are exact.
_EXACT_FLOAT32, _EXACT_FLOAT64 = 2**24, 2**53


class LinearOperator(Operator):
    """Sums of inputs times constant weights, plus a bias, then a fused activation.

    Inputs: x, weights, bias or absent. The sums are the same for the float meaning and for the
    bits: integers are summed in floating point, exactly, because that is what BLAS is fast at.
    """

    @abstractmethod
    def sums(self, node: BoundNode, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """The sums for x [N, *shape], 0 where padded; same floating type in and out: [N, *output shape]."""

    @abstractmethod
    def temporary_elements(self, node: BoundNode) -> int:
        """How many elements `sums` holds for each sample, for choosing how many go at once."""

    def run_float(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, weights, bias = operands(inputs)
        y = np.empty((len(x), *node.output.shape), np.float32)
        for part in sample_chunks(len(x), self.temporary_elements(node)):
            sums = self.sums(node, x[part], weights)
            if bias is not None:
                sums += bias
            y[part] = float_activation(sums, node.attrs.activation)
        return (y,)

    def run_int8(self, node: BoundNode, inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, ...]:
        x, weights, bias = operands(inputs)
        dtype = exact_dtype(accumulator_bound(node, with_bias=False))
        exact_weights, zero_point = weights.astype(dtype), dtype(node.input(0).zero_point)
        y = np.empty((len(x), *node.output.shape), np.int8)
        for part in sample_chunks(len(x), self.temporary_elements(node)):
            sums = self.sums(node, x[part].astype(dtype) - zero_point, exact_weights)
            y[part] = requantize_accumulator(node, sums.astype(np.int64), bias)
        return (y,)


def operands(inputs: Sequence[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """(x, weights, bias or None)."""
    x, weights = inputs[0], inputs[1]
    assert x is not None and weights is not None
    return x, weights, inputs[2] if len(inputs) > 2 else None


def exact_dtype(bound: int) -> type[np.float32] | type[np.float64]:
    """The smallest floating type that sums integers of |sum| <= bound exactly, in whatever order."""
    assert bound <= _EXACT_FLOAT64
    return np.float32 if bound <= _EXACT_FLOAT32 else np.float64


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


def accumulator_bound(node: BoundNode, with_bias: bool = True) -> int:
    """The largest |accumulator| that any int8 input can give."""
    weights, bias = node.input(1), node.optional_input(2)
    assert weights.data is not None
    # Weights that have a filter for each output channel have that channel first; 1HWO has it last.
    channel_axis = 3 if node.node.op == "depthwise_conv_2d" else 0
    others = tuple(axis for axis in range(len(weights.shape)) if axis != channel_axis)
    sums = np.abs(weights.data.astype(np.int64)).sum(axis=others) * widest(node.input(0).zero_point)
    if with_bias and bias is not None and bias.data is not None:
        sums = sums + np.abs(bias.data.astype(np.int64))
    return int(sums.max())


def accumulator_range(node: BoundNode) -> tuple[IntArray, IntArray]:
    """(low, high), each int64 [output channels]: what any input gives, bias included.

    Taps that may fall into padding count as 0 or as their product, whichever is further out. Uses
    what is known of the input (Tensor.value_range), else all of int8.
    """
    x, bias = node.input(0), node.optional_input(2)
    rows, channel_of_tap = _filter_rows(node)
    low_x, high_x = input_range(x)
    low_x, high_x = low_x[channel_of_tap] - x.zero_point, high_x[channel_of_tap] - x.zero_point
    if node.node.op != "fully_connected":
        low_x, high_x = np.minimum(low_x, 0), np.maximum(high_x, 0)
    positive, negative = np.maximum(rows, 0), np.minimum(rows, 0)
    low = (positive * low_x + negative * high_x).sum(axis=1)
    high = (positive * high_x + negative * low_x).sum(axis=1)
    if bias is not None and bias.data is not None:
        low, high = low + bias.data, high + bias.data
    return low, high


def input_range(x: Tensor) -> tuple[IntArray, IntArray]:
    """(low, high), each int64 [last axis], of an int8 tensor's values."""
    if x.value_range is not None:
        return x.value_range.low, x.value_range.high
    return np.full(x.shape[-1], INT8_MIN, np.int64), np.full(x.shape[-1], INT8_MAX, np.int64)


def _filter_rows(node: BoundNode) -> tuple[IntArray, IntArray]:
    """(weights [output channels, taps], the input channel that each tap reads, broadcastable to that)."""
    x, weights = node.input(0), node.input(1)
    assert weights.data is not None
    data = weights.data.astype(np.int64)
    if node.node.op == "depthwise_conv_2d":
        rows = data.reshape(-1, data.shape[3]).T
        multiplier = data.shape[3] // x.shape[3]
        return rows, np.arange(data.shape[3])[:, None] // multiplier
    rows = data.reshape(len(data), -1)
    depth = data.shape[-1]
    if node.node.op == "fully_connected":
        return rows, (np.arange(depth) % x.shape[-1])[None]
    groups = x.shape[3] // depth
    group = np.arange(len(data)) // (len(data) // groups)
    return rows, group[:, None] * depth + np.tile(np.arange(depth), rows.shape[1] // depth)[None]


def _largest_ratio(node: BoundNode) -> float:
    weights = node.input(1)
    assert weights.quant is not None
    return scale_ratio((node.input(0).scale, max(weights.quant.scale)), node.output.scale)


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
        lambda node: (quant := node.input(1).quant) is not None and not any(quant.zero_point),
        lambda node: node.input(1).quant,
        "quantize the model with a LiteRT-8-bit-specification quantizer, as mcu-quant quantize does",
    ),
    Constraint(
        "no input may overflow the int32 accumulator",
        lambda node: node.input(1).data is None or accumulator_bound(node) <= INT32_MAX,
        accumulator_bound,
        "fewer inputs per output, or a smaller bias",
    ),
    Constraint(
        "scale(input) * scale(weights) / scale(output) must be below 2**30",
        lambda node: node.input(1).quant is None or _largest_ratio(node) < 2.0**30,
        _largest_ratio,
        "calibrate with representative data",
    ),
)
