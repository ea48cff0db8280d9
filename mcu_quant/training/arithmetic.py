"""Scales, zero points and rounding as the quantizer has them (quantize/schemes.py), as Keras operations.

Schemes are computed in float64 and rounded to float32 once, as there, so that a trained range or weight
gives the very scale and integers of the file that is made from it. Gradients go straight through
roundings (Bengio, Leonard, Courville 2013) and stop where values are clipped.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from mcu_quant.fixed_point import INT8_MAX, INT8_MIN
from mcu_quant.quantize.schemes import MIN_SCALE, WEIGHT_LIMIT

#: Tensors and variables of whichever backend Keras runs on.
KerasTensor = Any

#: Adding this share and rounding gives the next float32: it lies between 3/4 and 3/2 of a last place.
_NEXT = 1.0 + 1.5 * 2.0**-24


def round_half_away(x: KerasTensor) -> KerasTensor:
    return ops.sign(x) * ops.floor(ops.abs(x) + 0.5)


def float32_at_least(value: KerasTensor) -> KerasTensor:
    """The smallest float32 that is not below a positive float64."""
    rounded = ops.cast(value, "float32")
    wide = ops.cast(rounded, "float64")
    return ops.where(wide >= value, rounded, ops.cast(wide * _NEXT, "float32"))


def activation_scheme(range_min: KerasTensor, range_max: KerasTensor) -> tuple[KerasTensor, KerasTensor]:
    """(scale, zero_point), float32 scalars, as quantize.schemes.activation_scheme gives them."""
    low = ops.minimum(ops.cast(range_min, "float64"), 0.0)
    high = ops.maximum(ops.cast(range_max, "float64"), 0.0)
    natural = (high - low) / (INT8_MAX - INT8_MIN)
    natural = ops.where(natural == 0.0, ops.ones_like(natural), natural)
    scale = float32_at_least(ops.maximum(natural, MIN_SCALE))
    wide = ops.cast(scale, "float64")
    exact = ops.where(ops.abs(low) <= ops.abs(high), INT8_MIN - low / wide, INT8_MAX - high / wide)
    zero_point = ops.clip(round_half_away(exact), INT8_MIN, INT8_MAX)
    return scale, ops.cast(zero_point, "float32")


def fake_quantized(
    x: KerasTensor,
    scale: KerasTensor,
    zero_point: KerasTensor,
    learned: tuple[KerasTensor, KerasTensor] | None = None,
    accumulator_step: KerasTensor | None = None,
) -> KerasTensor:
    """x rounded to the 256 values of an int8 scheme, halves away from zero.

    learned: (range_min, range_max) that take the gradient of what is clipped at their end, as
    tf.quantization.fake_quant_with_min_max_vars gives it. accumulator_step: where x are sums that are
    requantized, the real value of 1 in them, by channel.
    """
    scale, zero_point = ops.stop_gradient(scale), ops.stop_gradient(zero_point)
    low, high = (INT8_MIN - zero_point) * scale, (INT8_MAX - zero_point) * scale
    if learned is not None:
        low, high = _straight_through(learned[0], low), _straight_through(learned[1], high)
    clipped = ops.minimum(ops.maximum(x, low), high)
    steps = ops.stop_gradient(clipped) / scale
    if accumulator_step is not None:
        steps = _high_product(steps, accumulator_step / scale)
    return _straight_through(clipped, round_half_away(steps) * scale)


def _high_product(steps: KerasTensor, ratio: KerasTensor) -> KerasTensor:
    """steps as requantize has them before its shift to the right (docs/ARITHMETIC.md section 2).

    A ratio m * 2**shift, m in [0.5, 1), is applied in two roundings: to 2**shift steps, then to whole
    ones. The first matters where the ratio is not small.
    """
    shift = ops.minimum(ops.floor(ops.log2(ratio)) + 1.0, 0.0)
    parts = ops.power(2.0, -shift)
    return round_half_away(steps * parts) / parts


def fake_quantized_weights(weights: KerasTensor, axes: tuple[int, ...]) -> tuple[KerasTensor, KerasTensor]:
    """(float64 weights rounded to [-127, 127] steps of a scale per channel, the scales); float32.

    axes: those that share a scale; the scales keep them, with size 1. Rounded as by
    quantize.schemes.quantize_linear_constants; a channel of zeros has the smallest scale.
    """
    single = ops.cast(weights, "float32")
    exact = ops.cast(ops.stop_gradient(single), "float64")
    largest = ops.max(ops.abs(exact), axis=axes, keepdims=True)
    scale = float32_at_least(ops.maximum(largest / WEIGHT_LIMIT, MIN_SCALE))
    q = ops.cast(round_half_away(exact / ops.cast(scale, "float64")), "float32")
    return _straight_through(single, q * scale), scale


def fake_quantized_bias(bias: KerasTensor, x_scale: KerasTensor, weights_scale: KerasTensor) -> KerasTensor:
    """A float32 bias rounded to steps of x_scale * weights_scale, what accumulators count."""
    unit = ops.cast(x_scale, "float64") * ops.cast(ops.reshape(weights_scale, (-1,)), "float64")
    exact = ops.cast(ops.stop_gradient(bias), "float64")
    return _straight_through(bias, ops.cast(round_half_away(exact / unit) * unit, "float32"))


def _straight_through(x: KerasTensor, rounded: KerasTensor) -> KerasTensor:
    """rounded, with the gradient of x."""
    return x + ops.stop_gradient(rounded - x)
