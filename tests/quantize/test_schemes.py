"""Scales, zero points and integers: the specification's formulas and their degenerate cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcu_quant.fixed_point import INT32_MAX
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.quantize.schemes import (
    MIN_SCALE,
    LinearRounding,
    activation_scheme,
    float32_at_least,
    quantize_activation_constant,
    quantize_linear_constants,
)

REALS = st.floats(-1e6, 1e6, width=32)

RANGES = {
    "unit": ((0.0, 1.0), 1 / 255, -128),
    "negative": ((-1.0, 0.0), 1 / 255, 127),
    "both: a zero point of -0.5 rounds away from 0": ((-1.0, 1.0), 2 / 255, -1),
    "0 is added below": ((3.0, 255.0), 1.0, -128),
    "0 is added above": ((-255.0, -3.0), 1.0, 127),
    "only 0": ((0.0, 0.0), 1.0, -128),
    "constant": ((5.1, 5.1), 0.02, -128),
    "pixel": ((0.0, 255.0), 1.0, -128),
    "tiny": ((0.0, 1e-30), MIN_SCALE, -128),
}


@pytest.mark.parametrize("case", RANGES)
def test_activation_scheme(case: str) -> None:
    (low, high), scale, zero_point = RANGES[case]
    quant = activation_scheme(low, high)
    assert quant.scale[0] == pytest.approx(scale, rel=1e-6)
    assert quant.zero_point == (zero_point,)


@given(REALS, REALS, st.sampled_from([0.0, 1e-3, 10.0]))
def test_activation_scheme_covers_the_range(a: float, b: float, least: float) -> None:
    low, high = min(a, b, 0.0), max(a, b, 0.0)
    quant = activation_scheme(a if a < b else b, b if a < b else a, least)
    scale, zero_point = quant.scale[0], quant.zero_point[0]
    assert scale == float(np.float32(scale)) and scale >= least
    assert -128 <= zero_point <= 127
    slack = 0.5000001 * scale  # the rounding of the zero point moves the range by half a step at most
    assert (-128 - zero_point) * scale <= low + slack
    assert (127 - zero_point) * scale >= high - slack


@given(st.floats(1e-30, 1e30))
def test_float32_at_least(value: float) -> None:
    result = float32_at_least(value)
    assert result >= value and result == float(np.float32(result))
    assert float(np.nextafter(np.float32(result), np.float32(0))) < value


def test_activation_constants_round_half_away_and_saturate() -> None:
    quant = QuantParams.per_tensor(0.5, 3)
    data = np.array([0.0, 0.25, -0.25, 0.75, 1000.0, -1000.0], np.float32)
    assert quantize_activation_constant(data, quant).tolist() == [3, 4, 2, 5, 127, -128]


X = QuantParams.per_tensor(0.02, -128)


def linear(weights: np.ndarray, bias: np.ndarray | None, x: QuantParams = X, per_tensor: bool = False):  # type: ignore[no-untyped-def]
    b = None if bias is None else Tensor.constant("b", bias.astype(np.float32))
    return quantize_linear_constants(
        x, Tensor.constant("w", weights.astype(np.float32)), b, 0, LinearRounding(per_tensor)
    )


def accumulator_bounds(x: QuantParams, q_weights: np.ndarray, q_bias: np.ndarray) -> np.ndarray:
    widest = max(127 - x.zero_point[0], x.zero_point[0] + 128)
    return np.abs(q_weights.astype(np.int64)).sum(axis=1) * widest + np.abs(q_bias.astype(np.int64))


@pytest.mark.parametrize("per_tensor", [False, True])
def test_weights_and_bias(per_tensor: bool) -> None:
    rng = np.random.default_rng(0)
    weights, bias = rng.normal(size=(5, 7)), rng.normal(size=5)
    (q_w, w_quant), (q_b, b_quant) = linear(weights, bias, per_tensor=per_tensor)
    assert q_w.dtype == np.int8 and q_b.dtype == np.int32
    assert w_quant.channel_axis == (None if per_tensor else 0) and not any(w_quant.zero_point)
    assert np.abs(q_w).max() == 127 and q_w.min() >= -127
    if not per_tensor:
        assert (np.abs(q_w).max(axis=1) == 127).all()
    scales = np.broadcast_to(np.array(w_quant.scale), 5)
    assert np.abs(q_w * scales[:, None] - weights.astype(np.float32)).max() <= 0.5001 * scales.max()
    assert (
        np.abs(q_b * scales * X.scale[0] - bias.astype(np.float32)).max()
        <= 0.5001 * (scales * X.scale[0]).max()
    )
    assert b_quant.scale == tuple(float(np.float32(X.scale[0] * s)) for s in w_quant.scale)


def test_zero_channels_have_sane_scales() -> None:
    weights = np.zeros((4, 6))
    weights[0] = 0.5
    (q_w, quant), (q_b, _) = linear(weights, np.array([1.0, 3.0, 0.0, 1e-12]))
    assert all(np.isfinite(quant.scale)) and min(quant.scale) > 0
    assert not q_w[1:].any()
    reals = q_b * np.array(quant.scale) * X.scale[0]
    assert reals == pytest.approx([1.0, 3.0, 0.0, 1e-12], rel=1e-3, abs=1e-13)


def test_no_weights_at_all() -> None:
    (q_w, quant), _ = linear(np.zeros((2, 3)), None)
    assert quant.scale == (1.0, 1.0) and not q_w.any()


@pytest.mark.parametrize("per_tensor", [False, True])
@pytest.mark.parametrize("bias", [1e3, -1e9, 1e12])
def test_a_bias_that_dwarfs_the_weights_widens_their_scale(bias: float, per_tensor: bool) -> None:
    weights = np.full((3, 8), 1e-9)
    (q_w, quant), (q_b, _) = linear(weights, np.array([0.0, bias, 1e-6]), per_tensor=per_tensor)
    assert accumulator_bounds(X, q_w, q_b).max() <= INT32_MAX
    scale = np.broadcast_to(np.array(quant.scale), 3)
    assert q_b[1] * scale[1] * X.scale[0] == pytest.approx(bias, rel=1e-6)
    if not per_tensor:
        assert np.abs(q_w[0]).max() == 127, "the other channels keep their precision"


def test_a_sum_too_long_for_int32_widens_the_scale() -> None:
    weights = np.ones((1, 70_000))
    (q_w, quant), (q_b, _) = linear(weights, np.array([0.0]))
    assert accumulator_bounds(X, q_w, q_b).max() <= INT32_MAX
    assert q_w[0, 0] * quant.scale[0] == pytest.approx(1.0, abs=quant.scale[0] / 2)


def test_bias_is_in_units_of_the_double_product() -> None:
    """The float32 product is another number; for a large bias the integers differ."""
    x = QuantParams.per_tensor(0.1, 0)
    weights = np.full((1, 4), 0.37, np.float32)
    (_, quant), (q_b, _) = linear(weights, np.array([39_999.0]), x)
    assert q_b[0] == round(39_999.0 / (x.scale[0] * quant.scale[0]))
    assert q_b[0] != round(39_999.0 / float(np.float32(x.scale[0]) * np.float32(quant.scale[0])))
