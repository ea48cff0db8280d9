"""The integer functions that kernels share: C equals fixed_point, whose constants are what they claim."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import cffi
import numpy as np
import pytest

from mcu_quant import fixed_point
from tests.kernel_harness import TEMPLATES, WARNINGS

SOURCE = """
#include "mq_inverse_sqrt.h"
#include "mq_log_softmax_s8.h"
void requantize(const int32_t *acc, const int32_t *multiplier, const int32_t *shift, int32_t *y, int32_t n);
void exponential(const int32_t *a, int32_t *y, int32_t n);
void reciprocal(const int32_t *a, int32_t *y, int32_t n);
void logarithm(const int32_t *a, int32_t *y, int32_t n);
void inverse_sqrt_multiplier(const int32_t *a, int32_t *y, int32_t n);
void inverse_sqrt_shift(const int32_t *a, int32_t *y, int32_t n);
void requantize(const int32_t *acc, const int32_t *multiplier, const int32_t *shift, int32_t *y, int32_t n) {
    for (int32_t i = 0; i < n; i++) y[i] = mq_requantize(acc[i], multiplier[i], shift[i]);
}
void exponential(const int32_t *a, int32_t *y, int32_t n) {
    for (int32_t i = 0; i < n; i++) y[i] = mq_softmax_exp(a[i]);
}
void reciprocal(const int32_t *a, int32_t *y, int32_t n) {
    for (int32_t i = 0; i < n; i++) y[i] = mq_softmax_one_over_one_plus(a[i]);
}
void logarithm(const int32_t *a, int32_t *y, int32_t n) {
    for (int32_t i = 0; i < n; i++) y[i] = mq_log_of_at_least_one(a[i]);
}
void inverse_sqrt_multiplier(const int32_t *a, int32_t *y, int32_t n) {
    for (int32_t i = 0; i < n; i++) y[i] = mq_inverse_sqrt(a[i]).multiplier;
}
void inverse_sqrt_shift(const int32_t *a, int32_t *y, int32_t n) {
    for (int32_t i = 0; i < n; i++) y[i] = mq_inverse_sqrt(a[i]).shift;
}
"""
COUNT = 100_000
#: The first term that the polynomial leaves out, (1/8)**5 / 5!, and some rounding.
EXPONENTIAL_ERROR = 2.6e-7

#: What five steps of Newton's leave where they begin farthest from the root.
INVERSE_SQRT_ERROR = 1e-5


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """call(function, int32 arrays...) -> int64 array."""
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    folder = tmp_path_factory.mktemp("arithmetic")
    (folder / "arithmetic.c").write_text(SOURCE, "utf-8")
    shutil.copy(TEMPLATES / "portable" / "log_softmax_s8.h", folder / "mq_log_softmax_s8.h")
    library = folder / "arithmetic.so"
    sanitize = ["-fsanitize=undefined", "-fno-sanitize-recover=all"]
    command = ["gcc", *WARNINGS, "-O1", *sanitize, f"-I{TEMPLATES}", "-shared", "-fPIC"]
    subprocess.run([*command, str(folder / "arithmetic.c"), "-o", str(library)], check=True)
    ffi = cffi.FFI()
    ffi.cdef(
        "\n".join(line for line in SOURCE.splitlines() if line.startswith("void") and line.endswith(";"))
    )
    functions = ffi.dlopen(str(library))

    def call(name: str, *arrays: np.ndarray) -> np.ndarray:
        inputs = [np.ascontiguousarray(np.broadcast_to(a, arrays[0].shape), np.int32) for a in arrays]
        result = np.empty(arrays[0].shape, np.int32)
        pointers = [ffi.cast("int32_t *", array.ctypes.data) for array in (*inputs, result)]
        getattr(functions, name)(*pointers, result.size)
        return result.astype(np.int64)

    yield call


def test_requantize(call: Any) -> None:
    rng = np.random.default_rng(0)
    acc = rng.integers(-(2**31), 2**31, COUNT) >> rng.integers(0, 31, COUNT)
    acc[:4] = -(2**31), 2**31 - 1, 0, -1
    multiplier = rng.integers(2**30, 2**31, COUNT)
    multiplier[::50] = 0
    shift = rng.integers(-31, 31, COUNT)
    actual = call("requantize", acc, multiplier, shift)
    np.testing.assert_array_equal(actual, fixed_point.requantize(acc, multiplier, shift))


def test_requantize_halves_away_from_zero(call: Any) -> None:
    acc = np.arange(-4096, 4097)
    for shift in (0, -1, -2, -5):
        halved = call("requantize", acc, np.int64(2**30), np.int64(shift))
        np.testing.assert_array_equal(halved, fixed_point.requantize(acc, 2**30, shift))


def test_exponential(call: Any) -> None:
    rng = np.random.default_rng(1)
    polynomial = np.arange(0, 2**24, 37)  # up to 1/4, where every bit of the result is its own
    a = -np.concatenate([rng.integers(0, 2**31, COUNT) >> rng.integers(0, 31, COUNT), polynomial])
    a[:2] = 0, -(2**31)
    expected = fixed_point.exp_on_negative_values(a, 5)
    np.testing.assert_array_equal(call("exponential", a), expected)
    error = np.abs(expected / 2**31 - np.exp(a / 2**26))
    assert error.max() < EXPONENTIAL_ERROR


def test_reciprocal(call: Any) -> None:
    a = np.random.default_rng(2).integers(0, 2**31, COUNT)
    a[:2] = 0, 2**31 - 1
    expected = fixed_point.one_over_one_plus_x(a)
    np.testing.assert_array_equal(call("reciprocal", a), expected)
    assert np.abs(expected / 2**31 - 1 / (1 + a / 2**31)).max() < 1e-8


def _spread(least: int, seed: int) -> np.ndarray:
    """int32 numbers of every magnitude from `least` on, and powers of two and their neighbours."""
    rng = np.random.default_rng(seed)
    powers = 2 ** np.arange(31) + np.arange(-1, 2)[:, None]
    x = np.concatenate([rng.integers(0, 2**31, COUNT) >> rng.integers(0, 31, COUNT), powers.ravel()])
    return np.clip(np.append(x, 2**31 - 1), least, 2**31 - 1)


def test_logarithm(call: Any) -> None:
    x = _spread(2**19, 5)
    expected = fixed_point.log_of_at_least_one(x)
    np.testing.assert_array_equal(call("logarithm", x), expected)
    assert np.abs(expected / 2**26 - np.log(x / 2**19)).max() < 1e-7


def test_inverse_sqrt(call: Any) -> None:
    x = _spread(0, 6)
    multiplier, shift = fixed_point.inverse_sqrt(x)
    np.testing.assert_array_equal(call("inverse_sqrt_multiplier", x), multiplier)
    np.testing.assert_array_equal(call("inverse_sqrt_shift", x), shift)
    exact = 1 / np.sqrt(np.maximum(x, 1))
    assert np.abs(multiplier / 2**31 * 2.0**shift / exact - 1).max() < INVERSE_SQRT_ERROR


def test_one_minus_over_one_plus() -> None:
    a = np.random.default_rng(3).integers(0, 2**31, COUNT)
    exact = (1 - a / 2**31) / (1 + a / 2**31)
    assert np.abs(fixed_point.one_minus_x_over_one_plus_x(a) / 2**31 - exact).max() < 1e-8


@pytest.mark.parametrize("integer_bits", [2, 3, 4, 5])
def test_exponential_of_every_format(integer_bits: int) -> None:
    a = -np.random.default_rng(4).integers(0, 2**31, COUNT)
    exact = np.exp(a / 2 ** (31 - integer_bits))
    assert (
        np.abs(fixed_point.exp_on_negative_values(a, integer_bits) / 2**31 - exact).max() < EXPONENTIAL_ERROR
    )


def test_constants_are_what_they_claim() -> None:
    for index, factor in enumerate(fixed_point._EXP_FACTORS):
        assert factor == round(2**31 * math.exp(-(2.0 ** (index - 2))))
    assert round(2**31 * math.exp(-1 / 8)) == fixed_point._EXP_MINUS_ONE_EIGHTH
    assert round(2**31 / 3) == fixed_point._ONE_THIRD
    assert round(2**29 * 48 / 17) == fixed_point._48_OVER_17
    assert round(2**29 * -32 / 17) == fixed_point._MINUS_32_OVER_17
    root, unit = 2.0**0.25, 2**31
    assert round(unit * math.log(2)) == fixed_point._LN_2
    assert round(unit * 0.5**0.5) == fixed_point._SQRT_HALF
    assert round(unit / root) == fixed_point._SQRT_SQRT_HALF
    assert round(unit * root * 11 / 240) == fixed_point._LOG_N
    assert round(unit * root / 20) == fixed_point._LOG_D
    assert round(unit * root / 4) == fixed_point._LOG_F
    assert round(unit * (2 / root - root)) == fixed_point._LOG_I
