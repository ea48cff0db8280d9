"""Conditions and indices are moved as activations are: the same cases with bool, int32 and int64 elements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.ops.forms import form_of
from mcu_quant.ops.support import node_problems
from tests.ops import test_broadcast_to, test_concatenation, test_reshape, test_strided_slice, test_transpose
from tests.ops.driver import Case, c_equals_reference, c_overlapped, reference
from tests.oracles import litert_ref

TABLES = {
    "transpose": test_transpose.CASES[::3],
    "broadcast_to": test_broadcast_to.CASES[::3],
    "strided_slice": test_strided_slice.CASES[::3],
    "concatenation": test_concatenation.CASES[::3],
}


def as_plain(case: Case, dtype: str) -> Case:
    """The case with elements of that type, which has no scale."""
    rng = np.random.default_rng(5)
    no_quant: Any = None
    inputs, data = [], []
    for tensor in case.inputs:
        assert tensor is not None
        values = rng.integers(-(2**31), 2**31, (4, *tensor.shape))
        drawn = (values % 2 if dtype == "bool" else values * (2**20 if dtype == "int64" else 1)).astype(dtype)
        plain = replace(tensor, dtype=dtype, quant=None)
        if tensor.is_constant:
            plain = replace(plain, data=drawn[0])
        else:
            data.append(drawn)
        inputs.append(plain)
    return replace(
        case,
        inputs=tuple(inputs),
        data=tuple(data),
        output_quant=no_quant,
        output_dtype=dtype,
        oracle="LiteRT",
    )


CASES = [
    pytest.param(as_plain(case, dtype), id=f"{op}-{case}-{dtype}")
    for op, table in TABLES.items()
    for case in table
    for dtype in ("bool", "int32", "int64")
]


def equals_litert(case: Case) -> None:
    expected = litert_ref(write_tflite(case.graph()), case.samples_of_inputs())
    for actual, wanted in zip(reference(case), expected, strict=True):
        np.testing.assert_array_equal(actual, wanted)
        assert actual.dtype == wanted.dtype


def is_supported(case: Case) -> None:
    assert form_of(case.node()) == "plain" and not node_problems(case.node())


@pytest.mark.parametrize(
    "check", [is_supported, equals_litert, c_equals_reference, c_overlapped], ids=lambda check: check.__name__
)
@pytest.mark.parametrize("case", CASES)
def test_plain(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("dtype", ["bool", "int32", "int64"])
def test_plain_reshape(dtype: str) -> None:
    case = as_plain(test_reshape.reshape_case((1, 6), (1, 2, 3)), dtype)
    is_supported(case)
    equals_litert(case)
