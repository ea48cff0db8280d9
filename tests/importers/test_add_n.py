"""ADD_N is read as ADDs: of floats and whole numbers a chain, of int8 where TFLM's sum is one."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.interpreter import run_graph
from tests.oracles import litert_ref, tflm
from tests.tflite_files import one_operator

SHAPE = (1, 3, 40)


def add_n_file(
    terms: int, dtype: str, zero_point: int = 0, scales: tuple[float, float] = (0.05, 0.07)
) -> bytes:
    quant = [QuantParams.per_tensor(scales[0], zero_point), QuantParams.per_tensor(scales[1], -11)]
    x, y = quant if dtype == "int8" else (None, None)
    inputs = [Tensor(f"x{index}", SHAPE, dtype, x) for index in range(terms)]
    return one_operator("ADD_N", inputs, [Tensor("y", SHAPE, dtype, y)])


@pytest.mark.parametrize("terms", (2, 3, 7))
@pytest.mark.parametrize("dtype", ("float32", "int32"))
def test_sums_are_litert_s(dtype: str, terms: int) -> None:
    rng = np.random.default_rng(terms)
    data = add_n_file(terms, dtype)
    inputs = [rng.integers(-(2**31), 2**31, (3, *SHAPE)).astype(dtype) for _ in range(terms)]
    (found,) = run_graph(read_tflite(data, "sum"), inputs)
    np.testing.assert_array_equal(found, litert_ref(data, inputs)[0])


@pytest.mark.parametrize("scales", ((0.05, 0.07), (0.3, 9.0), (1e-3, 1e-4), (2.0, 1.99)))
def test_sums_of_two_int8_are_tflm_s(scales: tuple[float, float]) -> None:
    rng = np.random.default_rng(3)
    data = add_n_file(2, "int8", scales=scales)
    inputs = [rng.integers(-128, 128, (5, *SHAPE)).astype(np.int8) for _ in range(2)]
    (found,) = run_graph(read_tflite(data, "sum"), inputs)
    np.testing.assert_array_equal(found, tflm(data, inputs)[0])


def test_tflm_takes_the_zero_point_once_too_often() -> None:
    """So such sums are refused: neither its bytes nor others would be right."""
    data = add_n_file(2, "int8", zero_point=10, scales=(0.25, 0.25))
    inputs = [np.full((1, *SHAPE), value, np.int8) for value in (20, 30)]
    assert tflm(data, inputs)[0].reshape(-1)[0] == (20 - 10) + (30 - 10) - 11 - 10
    with pytest.raises(UnsupportedModelError, match="zero_point 0"):
        read_tflite(data, "sum")


def test_refusals() -> None:
    with pytest.raises(UnsupportedModelError, match="must have two inputs"):
        read_tflite(add_n_file(3, "int8"), "sum")
    with pytest.raises(InvalidModelError, match="two inputs or more"):
        read_tflite(add_n_file(1, "float32"), "sum")
