"""Every accumulator of a channel that is called proven gives the reference's output."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.fixed_point import quantize_multiplier
from mcu_quant.kernels.short_requantization import (
    Requantization,
    ShortRequantization,
    fit_digits,
    fit_smull,
)

#: zero_point, activation_min, activation_max
CLAMPS = {
    "none": (-3, -128, 127),
    "relu": (-128, -128, 127),
    "relu, zero_point inside": (5, 5, 127),
    "relu6": (-128, -128, 60),
    "zero_point at the top": (127, -128, 127),
    "zero_point at the bottom": (-128, -128, 127),
}
CHANNELS = 24


def random_layer(rng: np.random.Generator, clamp: tuple[int, int, int], largest: int) -> Requantization:
    """Channels of up to `largest` accumulators, whose outputs span from a part of int8 to ten times it."""
    high = rng.integers(1, largest, CHANNELS)
    low = high - rng.integers(1, 2 * largest, CHANNELS)
    spread = np.maximum(np.abs(low), np.abs(high))
    pairs = [quantize_multiplier(float(128 * rng.uniform(0.05, 10) / s)) for s in spread]
    multiplier, shift = (np.array(values, np.int64) for values in zip(*pairs, strict=True))
    return Requantization(low, high, multiplier, shift, *clamp)


def outputs(short: ShortRequantization, layer: Requantization, product: np.ndarray) -> np.ndarray:
    u = product + short.addend
    u = u + np.where(u >= 0, short.step, 0)
    assert (np.abs(u[:, short.proven]) < 2**31).all()
    y = u >> short.shift
    assert (y[:, short.proven] >= short.lowest).all() and (y[:, short.proven] <= short.highest).all()
    return np.clip(y + short.origin, layer.activation_min, layer.activation_max)


def every_accumulator(layer: Requantization) -> np.ndarray:
    """[N, channels], each channel's whole range."""
    steps = np.arange(int((layer.high - layer.low).max()) + 1)[:, None]
    return np.minimum(layer.low + steps, layer.high)


def assert_right(short: ShortRequantization | None, layer: Requantization, product: np.ndarray) -> None:
    assert short is not None and short.proven.mean() > 0.5
    wrong = outputs(short, layer, product) != layer.outputs(every_accumulator(layer))
    assert not wrong[:, short.proven].any()


@pytest.mark.parametrize("largest", [40, 3000, 20_000])
@pytest.mark.parametrize("clamp", CLAMPS.values(), ids=CLAMPS)
def test_digits(clamp: tuple[int, int, int], largest: int) -> None:
    rng = np.random.default_rng(largest)
    layer = random_layer(rng, clamp, largest)
    folded_bias = rng.integers(-largest, largest, CHANNELS)
    a = every_accumulator(layer) - folded_bias
    for count in (2, 3):
        short = fit_digits(layer, folded_bias, count)
        assert short is not None
        digits, total = short.digits(count), np.zeros_like(a)
        for i in range(count):
            assert (np.abs(total) < 2**31).all()
            total = (total >> short.digit_bits) + a * digits[:, i]
        assert_right(short, layer, total)


@pytest.mark.parametrize("largest", [40, 3000, 20_000])
@pytest.mark.parametrize("clamp", CLAMPS.values(), ids=CLAMPS)
def test_smull(clamp: tuple[int, int, int], largest: int) -> None:
    rng = np.random.default_rng(largest)
    layer = random_layer(rng, clamp, largest)
    folded_bias = rng.integers(-largest, largest, CHANNELS)
    short = fit_smull(layer, folded_bias)
    assert short is not None
    a = (every_accumulator(layer) - folded_bias) << short.left_shift
    assert (np.abs(a) < 2**31).all() and (short.multiplier < 2**31).all()
    assert_right(short, layer, (a * short.multiplier) >> 32)


def test_accumulators_that_wrap_are_not_proven() -> None:
    """The reference shifts such accumulators out of int32 before it multiplies."""
    high = np.array([2**27, 2**20])
    multiplier, shift = np.full(2, 2**31 - 1), np.array([5, -13])
    layer = Requantization(-high, high, multiplier, shift, 0, -128, 127)
    short = fit_digits(layer, np.zeros(2, np.int64), 2)
    assert short is not None and short.proven.tolist()[0] is False
