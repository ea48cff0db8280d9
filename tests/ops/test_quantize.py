"""quantize: every byte to every type, and float32 by its hard cases."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.quantize import quantize_float
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, activation, c_equals_reference, c_overlapped, check_name, reference
from tests.ops.driver import equals_oracle as tflm_agrees
from tests.ops.elementwise import ALL_BYTES, every_input, random_schemes
from tests.oracles import tflm

INT8 = [
    every_input(f"int8_{i}", "quantize", None, x, y) for i, (x, y) in enumerate(random_schemes(16, 12))
] + [
    every_input("int8_saturates", "quantize", None, (0.5, 100), (0.001, -100)),
    every_input("int8_vanishes", "quantize", None, (1e-6, 3), (1.0, -9)),
    every_input("int8_zero_points", "quantize", None, (0.05, -128), (0.05, 127)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", INT8, ids=str)
def test_int8_to_int8(case: Case, check) -> None:
    check(case)


def mixed_case(name: str, dtypes: tuple[str, str], x: tuple[float, int], y: tuple[float, int]) -> Case:
    data = ALL_BYTES.view(dtypes[0]).reshape(1, 1, 256)
    inputs = (activation("x", (1, 256), *x, dtypes[0]),)
    return Case(
        name, "quantize", None, inputs, QuantParams.per_tensor(*y), output_dtype=dtypes[1], data=(data,)
    )


MIXED = [
    mixed_case("uint8_to_int8_same_scale", ("uint8", "int8"), (0.05, 131), (0.05, 3)),
    mixed_case("int8_to_uint8_same_scale", ("int8", "uint8"), (0.05, 3), (0.05, 131)),
    mixed_case("uint8_to_int8", ("uint8", "int8"), (0.05, 7), (0.07, -90)),
    mixed_case("int8_to_uint8", ("int8", "uint8"), (0.05, -7), (0.03, 200)),
    mixed_case("int8_to_uint8_limits", ("int8", "uint8"), (0.05, 127), (0.01, 255)),
    mixed_case("uint8_to_int8_limits", ("uint8", "int8"), (0.05, 255), (0.01, -128)),
]
CASES = [*INT8, *MIXED]


@pytest.mark.parametrize("check", [tflm_agrees, c_equals_reference, c_overlapped], ids=check_name)
@pytest.mark.parametrize("case", MIXED, ids=str)
def test_between_int8_and_uint8(case: Case, check) -> None:
    check(case)


def test_equal_scales_of_int8_and_uint8_differ_by_the_top_bit() -> None:
    (y,) = reference(MIXED[0])
    assert y.tobytes() == bytes(byte ^ 0x80 for byte in range(256))


def float_case(name: str, dtype: str, scale: float, zero_point: int, x: np.ndarray) -> Case:
    data = np.asarray(x, np.float32).reshape(1, 1, -1)
    inputs = (Tensor("x", data.shape[1:]),)
    output = QuantParams.per_tensor(scale, zero_point)
    return Case(name, "quantize", None, inputs, output, output_dtype=dtype, data=(data,))


def hard_values(scale: float) -> np.ndarray:
    """Halves of steps and the float32 numbers beside them, limits, and random values."""
    halves = (np.arange(-300, 300) + 0.5).astype(np.float32) * np.float32(scale)
    beside = [np.nextafter(halves, np.float32(side)) for side in (-np.inf, np.inf)]
    rng = np.random.default_rng(7)
    random = (rng.normal(size=2000) * 100 * scale).astype(np.float32)
    return np.concatenate([halves, *beside, random, [0.0, -0.0, 1e-45, -1e-45, 0.49999997 * scale]])


FLOATS = [
    float_case(f"{dtype}_{scale}_{zero_point}", dtype, scale, zero_point, hard_values(scale))
    for dtype, zero_points in (("int8", (-128, 3, 127)), ("uint8", (0, 131, 255)))
    for scale, zero_point in zip((0.05, 1.0, 1 / 3), zero_points, strict=True)
]


@pytest.mark.parametrize("check", [c_equals_reference, c_overlapped], ids=check_name)
@pytest.mark.parametrize("case", FLOATS, ids=str)
def test_floats_in_c(case: Case, check) -> None:
    check(case)


@pytest.mark.parametrize("case", [case for case in FLOATS if case.output_dtype == "int8"], ids=str)
def test_floats_in_tflm(case: Case) -> None:
    """Only to int8: TFLM has no float32 to uint8."""
    (actual,), (expected,) = reference(case), tflm(write_tflite(case.graph()), case.samples_of_inputs())
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("case", FLOATS, ids=str)
def test_floats_are_rounded_to_the_nearest_step(case: Case) -> None:
    (x,), (y,), output = case.samples_of_inputs(), reference(case), case.node().output
    steps = x.astype(np.float64) / output.scale + output.zero_point
    limits = np.iinfo(output.dtype)
    assert np.abs(y - np.clip(steps, limits.min, limits.max)).max() <= 0.5 + 1e-4  # of float32's division


def test_c_equals_reference_where_c_itself_says_nothing() -> None:
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, 3e38, -3e38, 2.0**31, -(2.0**31), 1e30], np.float32)
    for scale in (0.05, 1e-30):
        case = float_case("special", "int8", scale, -5, special)
        c_equals_reference(case)
        assert reference(case)[0].ravel().tolist() == [-5, -5, 127, -128, 127, -128, 127, -128, 127]


def test_halves_go_away_from_zero() -> None:
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997], np.float32)
    assert quantize_float(x, 1.0, 0, "int8").tolist() == [1, 2, 3, -1, -2, -3, 0]


def test_quantize_refuses_ratios_that_overflow() -> None:
    (problem,) = node_problems(every_input("steep", "quantize", None, (1.0, 0), (1e-8, 0)).node())
    assert "2**23" in problem.rule
