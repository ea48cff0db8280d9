"""dequantize: every byte."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.ops.driver import (
    Case,
    activation,
    c_equals_reference,
    c_overlapped,
    check_name,
    equals_oracle,
    reference,
)
from tests.ops.elementwise import ALL_BYTES

SCHEMES = [(0.05, -128), (1 / 3, 127), (1e-30, 5), (1e36, -7), (1e-44, 0), (0.0078125, 0)]


def case(dtype: str, scale: float, zero_point: int) -> Case:
    x = activation("x", (1, 256), scale, zero_point, dtype)
    data = (ALL_BYTES.view(dtype).reshape(1, 1, 256),)
    name, no_quant = f"{dtype}_{scale:g}_{zero_point}", None
    return Case(name, "dequantize", None, (x,), no_quant, output_dtype="float32", data=data)  # type: ignore[arg-type]


CASES = [case(dtype, s, z + raised) for dtype, raised in (("int8", 0), ("uint8", 128)) for s, z in SCHEMES]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_dequantize_is_one_multiplication(case: Case) -> None:
    (x,), (y,), tensor = case.samples_of_inputs(), reference(case), case.node().input(0)
    exact = (x.astype(np.float64) - tensor.zero_point) * tensor.scale
    np.testing.assert_allclose(y, exact, rtol=2.0**-24, atol=1e-45)


@pytest.mark.parametrize("check", [equals_oracle, c_equals_reference, c_overlapped], ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_dequantize(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
