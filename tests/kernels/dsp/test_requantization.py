"""The short requantization against the exact one: every accumulator of small ranges, random ones of large."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.kernels.dsp.requantization import ExactRequantization, shortened


def random_layer(seed: int, channels: int = 16) -> ExactRequantization:
    rng = np.random.default_rng(seed)
    width = int(rng.choice([300, 3000, 60000, 1500000]))
    middle = rng.integers(-width, width, channels)
    half = rng.integers(0, width, channels)
    shift = -int(rng.integers(0, 12)) - rng.integers(0, int(rng.integers(1, 5)), channels)
    zero_point = int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))]))
    limits = [(-128, 127), (zero_point, 127), (max(zero_point - 9, -128), min(zero_point + 20, 127))]
    low, high = limits[int(rng.integers(3))]
    multiplier = rng.integers(1 << 30, 1 << 31, channels)
    return ExactRequantization(middle - half, middle + half, multiplier, shift, zero_point, low, high)


def accumulators(exact: ExactRequantization, seed: int) -> np.ndarray:
    """[N, channels]: the ends, and around zero and every threshold, then random ones."""
    rng = np.random.default_rng(seed)
    _, thresholds = exact.thresholds()
    near = np.concatenate([thresholds + d for d in (-2, -1, 0, 1)])
    ends = [exact.low, exact.high, np.zeros_like(exact.low), np.full_like(exact.low, -1)]
    some = rng.integers(exact.low, exact.high + 1, (500, len(exact.low)))
    return np.clip(np.concatenate([near, ends, some]), exact.low, exact.high)


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("scale_bits", [8, 2])
def test_proved_channels_are_exact(seed: int, scale_bits: int) -> None:
    exact = random_layer(seed)
    short = shortened(exact, scale_bits)
    values = accumulators(exact, seed)
    proved = ~short.is_unproved
    np.testing.assert_array_equal(short.apply(values)[:, proved], exact.apply(values)[:, proved])


def test_most_channels_are_proved() -> None:
    unproved = [shortened(random_layer(seed), 8).is_unproved.mean() for seed in range(60)]
    assert np.mean(unproved) < 0.2


def test_every_accumulator_of_a_small_range() -> None:
    exact = random_layer(1)
    exact = ExactRequantization(
        np.full(16, -40000),
        np.full(16, 40000),
        exact.multiplier,
        np.full(16, -7),
        -11,
        -128,
        127,
    )
    short = shortened(exact, 8)
    values = np.repeat(np.arange(-40000, 40001)[:, None], 16, 1)
    assert not short.is_unproved.any() and short.has_steps
    np.testing.assert_array_equal(short.apply(values), exact.apply(values))


def test_accumulators_too_large_are_not_proved() -> None:
    """At the limit of 23 bits a channel is proved, beyond it is not."""
    for limit, is_unproved in (((1 << 23) - 1, False), (1 << 24, True)):
        exact = ExactRequantization(
            np.array([-limit]), np.array([limit]), np.array([1 << 30]), np.array([-14]), 0, -128, 127
        )
        assert shortened(exact, 8).is_unproved.any() == is_unproved


def test_left_shifts_that_wrap_are_not_proved() -> None:
    exact = ExactRequantization(
        np.array([-(1 << 20)]), np.array([1 << 20]), np.array([1 << 30]), np.array([12]), 0, -128, 127
    )
    assert shortened(exact, 8).is_unproved.all()
