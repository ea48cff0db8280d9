"""From real ranges and weights to scales, zero points and integers (LiteRT 8-bit specification).

All rounding is half away from zero, in double, so that equal numbers give equal bytes everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN, INT16_MAX, round_half_away
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.linear import widest
from mcu_quant.quantize.activation_types import INT8, ActivationType
from mcu_quant.quantize.weights import weight_peaks

#: Smallest scales of activations and weights: their product must be a normal float32.
MIN_SCALE = 2.0**-60
WEIGHT_LIMIT = 127

#: Integers and their scheme.
Constant = tuple[np.ndarray, QuantParams]

#: A channel without weights still has a bias: this many steps of it leave room and precision.
_BIAS_STEPS = 2**24


def float32_at_least(value: float) -> float:
    """The smallest float32 that is not below a positive value."""
    rounded = np.float32(value)
    return float(rounded if float(rounded) >= value else np.nextafter(rounded, np.float32(np.inf)))


def symmetric_scheme(range_min: float, range_max: float, least_scale: float = 0.0) -> QuantParams:
    """int16: scale = the largest magnitude / 32767, or least_scale if that is larger; zero_point 0.

    A range of nothing but 0 gets scale 1.
    """
    natural = max(abs(range_min), abs(range_max)) / INT16_MAX or 1.0
    return QuantParams.per_tensor(float32_at_least(max(natural, least_scale, MIN_SCALE)), 0)


def activation_scheme(range_min: float, range_max: float, least_scale: float = 0.0) -> QuantParams:
    """int8, asymmetric: the range, widened to hold 0 and nudged so that 0 is exactly representable.

    scale = (max - min) / 255, or least_scale if that is larger. A range of nothing but 0 gets scale 1.
    """
    low, high = min(range_min, 0.0), max(range_max, 0.0)
    natural = (high - low) / (INT8_MAX - INT8_MIN)
    if natural == 0.0:
        natural = 1.0
    scale = float32_at_least(max(natural, least_scale, MIN_SCALE))
    from_min, from_max = INT8_MIN - low / scale, INT8_MAX - high / scale
    widened = scale > float32_at_least(natural)
    # Rounded from the end that is nearer to 0, whose quotient is the more exact one.
    exact = from_min if widened or abs(low) <= abs(high) else from_max
    return QuantParams.per_tensor(scale, max(INT8_MIN, min(INT8_MAX, round_half_away(exact))))


def quantize_activation_constant(
    data: np.ndarray, quant: QuantParams, kind: ActivationType = INT8
) -> np.ndarray:
    """A float constant as an activation of that type under per-tensor quantization."""
    q = _round(data.astype(np.float64) / quant.scale[0]) + quant.zero_point[0]
    return np.clip(q, kind.low, kind.high).astype(kind.dtype)


@dataclass(frozen=True)
class LinearRounding:
    """How the constants of a linear operator become integers.

    per_tensor: one scale for all weights of a layer. calibration: how far the weights reach
    (weights.weight_peaks). kind: what the activations are that they are multiplied with.
    """

    per_tensor: bool = False
    calibration: str = "minmax"
    kind: ActivationType = INT8


def quantize_linear_constants(
    x: QuantParams,
    weights: Tensor,
    bias: Tensor | None,
    channel_axis: int,
    rounding: LinearRounding,
    rounded: Constant | None = None,
) -> tuple[Constant, Constant | None]:
    """(int8 weights, bias or None), each with its scheme, safe for the accumulators of that type.

    rounded: the integers to take instead of the nearest ones, if their scheme is the one that comes out and
    no sum can overflow.
    Weights are symmetric in [-127, 127]. Where the bias or a sum could overflow for some
    input, the scale is widened until it provably cannot. The bias is rounded in units of
    double(s_in) * double(s_w[c]), which is what the arithmetic uses; its stored scale is that
    product in float32.
    """
    assert weights.data is not None
    per_tensor, kind = rounding.per_tensor, rounding.kind
    channels = weights.shape[channel_axis]
    rows = np.moveaxis(weights.data.astype(np.float64), channel_axis, 0).reshape(channels, -1)
    real_bias = np.zeros(channels) if bias is None or bias.data is None else bias.data.astype(np.float64)
    usual = float(np.abs(rows).max(initial=0.0)) / WEIGHT_LIMIT or 1.0
    peaks = weight_peaks(rows.reshape(1, -1) if per_tensor else rows, rounding.calibration, WEIGHT_LIMIT)
    if per_tensor:
        quant = QuantParams.per_tensor(_safe_scale(x, rows, real_bias, usual, float(peaks[0]), kind))
    else:
        channelwise = zip(rows[:, None], real_bias[:, None], peaks, strict=True)
        scales = [_safe_scale(x, row, b, usual, float(peak), kind) for row, b, peak in channelwise]
        quant = QuantParams.per_channel(scales, channel_axis)
    q_weights = _clipped(weights.data / quant.broadcast_scale(weights.data.ndim)).astype(np.int8)
    if rounded is not None and rounded[1] == quant and _fits(x, rounded, real_bias, channel_axis, kind):
        q_weights = rounded[0]
    if bias is None:
        return (q_weights, quant), None
    units = x.scale[0] * np.asarray(quant.scale)
    stored = tuple(float(np.float32(unit)) for unit in units)
    bias_quant = QuantParams(stored, (0,) * len(stored), None if per_tensor else 0)
    return (q_weights, quant), (_round(real_bias / units).astype(kind.bias_dtype), bias_quant)


def _safe_scale(
    x: QuantParams, weights: np.ndarray, bias: np.ndarray, usual: float, largest: float, kind: ActivationType
) -> float:
    """One float32 scale for weights [outputs, K] with bias [outputs].

    usual: the scale where there is neither weight nor bias. largest: the magnitude of the largest integer.
    """
    largest_bias = float(np.abs(bias).max(initial=0.0))
    if largest > 0.0:
        scale = largest / WEIGHT_LIMIT
    elif largest_bias > 0.0:
        scale = largest_bias / (x.scale[0] * _BIAS_STEPS)
    else:
        scale = usual
    scale = float32_at_least(max(scale, MIN_SCALE))
    while (bound := _accumulator_bound(x, weights, bias, scale, kind)) > kind.accumulator_max:
        scale = float32_at_least(scale * max(bound / kind.accumulator_max, 1.001))
    return scale


def _accumulator_bound(
    x: QuantParams, weights: np.ndarray, bias: np.ndarray, scale: float, kind: ActivationType
) -> float:
    """The largest |accumulator| of weights [outputs, K] and bias [outputs] under that scale."""
    sums = np.abs(_clipped(weights / scale)).sum(axis=1) * widest(x.zero_point[0], kind.dtype)
    return float((sums + np.abs(_round(bias / (x.scale[0] * scale)))).max())


def _fits(
    x: QuantParams, weights: Constant, bias: np.ndarray, channel_axis: int, kind: ActivationType
) -> bool:
    """Whether no accumulator can overflow."""
    rows = np.moveaxis(weights[0].astype(np.float64), channel_axis, 0).reshape(len(bias), -1)
    sums = np.abs(rows).sum(axis=1) * widest(x.zero_point[0], kind.dtype)
    units = x.scale[0] * np.asarray(weights[1].scale)
    return bool((sums + np.abs(_round(bias / units))).max() <= kind.accumulator_max)


def _clipped(values: np.ndarray) -> np.ndarray:
    """Rounded, and no further out than weights go."""
    return np.clip(_round(values), -WEIGHT_LIMIT, WEIGHT_LIMIT)


def _round(values: np.ndarray) -> np.ndarray:
    """Halves away from zero."""
    return np.copysign(np.floor(np.abs(values) + 0.5), values)
