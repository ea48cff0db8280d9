"""Fake quantization against the quantizer's own numbers and TensorFlow's operators."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from mcu_quant.quantize import schemes
from mcu_quant.training import arithmetic

RNG = np.random.default_rng(1)
RANGES = [
    (0.0, 0.0),
    (0.0, 6.0),
    (-1.0, 1.0),
    (-3.1, 0.0),
    (0.5, 2.0),
    (-2.0, -0.5),
    (-1e-30, 1e-25),
    (-0.1, 25.5),
    (-1e6, 3.0),
    *[tuple(sorted(RNG.normal(0, 10.0 ** RNG.integers(-6, 6), 2))) for _ in range(200)],
]


@pytest.mark.parametrize("chunk", range(4))
def test_schemes_are_those_of_the_quantizer(chunk: int) -> None:
    for low, high in RANGES[chunk::4]:
        low, high = float(np.float32(low)), float(np.float32(high))
        expected = schemes.activation_scheme(low, high)
        scale, zero_point = arithmetic.activation_scheme(low, high)
        assert (float(scale), int(zero_point)) == (expected.scale[0], expected.zero_point[0]), (low, high)


def test_float32_at_least() -> None:
    values = np.concatenate([10.0 ** RNG.uniform(-18, 18, 4000), 2.0 ** np.arange(-50, 50), [1 + 2.0**-30]])
    given = np.asarray(arithmetic.float32_at_least(tf.constant(values, tf.float64)))
    assert given.tolist() == [schemes.float32_at_least(value) for value in values.tolist()]


@pytest.mark.parametrize("span", [(0.0, 6.0), (-1.0, 1.0), (-0.3, 2.2), (-5.0, 0.0)])
def test_values_and_gradients_are_those_of_tensorflow(span: tuple[float, float]) -> None:
    x = tf.constant(RNG.uniform(-7, 8, 3000), tf.float32)
    weights = tf.constant(RNG.normal(size=3000), tf.float32)
    low, high = tf.Variable(span[0]), tf.Variable(span[1])

    def ours() -> tf.Tensor:
        scheme = arithmetic.activation_scheme(low, high)
        return arithmetic.fake_quantized(x, *scheme, (tf.identity(low), tf.identity(high)))

    def theirs() -> tf.Tensor:
        return tf.quantization.fake_quant_with_min_max_vars(x, low, high)

    results = []
    for function in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function()
            loss = tf.reduce_sum(y * weights)
        results.append((y, *tape.gradient(loss, (x, low, high))))
    step = (span[1] - span[0]) / 255
    for a, b, tolerance in zip(*results, (step * 1e-3, 1e-6, 1e-2, 1e-2), strict=True):
        apart = np.abs(np.asarray(a) - np.asarray(b))
        # A value on the edge between two steps, or at the range's end, may fall to either side.
        assert (apart > tolerance).mean() < 0.002, (span, apart.max())


def test_weights_take_127_steps_either_way_and_pass_gradients() -> None:
    weights = tf.Variable(RNG.normal(size=(3, 3, 5, 7)))
    with tf.GradientTape() as tape:
        rounded, _ = arithmetic.fake_quantized_weights(weights, (0, 1, 2))
        loss = tf.reduce_sum(rounded * 2.0)
    scale = np.abs(weights.numpy()).max(axis=(0, 1, 2)) / 127
    q = np.asarray(rounded) / scale
    assert np.abs(q - np.rint(q)).max() < 1e-4 and np.abs(q).max() < 127.001
    np.testing.assert_array_equal(tape.gradient(loss, weights), 2.0)


def test_a_channel_of_zeros_stays_zero() -> None:
    weights = keras.ops.zeros((2, 2, 3, 1), "float64")
    rounded, _ = arithmetic.fake_quantized_weights(weights, (0, 1, 2))
    assert not np.asarray(rounded).any()
