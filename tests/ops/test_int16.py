"""Every operator's table of cases once more in int16: near the float meaning, TFLM's bytes, and C's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.ops import (
    test_add,
    test_average_pool_2d,
    test_concatenation,
    test_conv_2d,
    test_depthwise_conv_2d,
    test_fully_connected,
    test_leaky_relu,
    test_logistic,
    test_max_pool_2d,
    test_maximum,
    test_mean,
    test_minimum,
    test_mul,
    test_pad,
    test_quantize,
    test_relu,
    test_relu6,
    test_select_v2,
    test_softmax,
    test_strided_slice,
    test_sub,
    test_tanh,
)
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.int16 import as_int16

#: Cases of ratios of scales that int16 does not bear.
_NOT_IN_INT16 = {"left_shift", "left_shift_of_12", "finest_output", "no_middle", "steepest"}


def _cases(table: Sequence[Case], *also_not: str, **options: Any) -> list[Case]:
    left_out = _NOT_IN_INT16.union(also_not)
    return [as_int16(case, **options) for case in table if case.name not in left_out]


# softmax, logistic and tanh interpolate in tables: several steps of 1/32768 from their meaning.
TABLES: dict[str, list[Case]] = {
    "add": _cases(test_add.CASES),
    "average_pool_2d": _cases(test_average_pool_2d.CASES),
    "concatenation": _cases(test_concatenation.CASES),
    "conv_2d": _cases(test_conv_2d.CASES),
    "conv_2d_int32": _cases(test_conv_2d.CASES, "float64_sums", bias="int32"),
    "depthwise_conv_2d": _cases(test_depthwise_conv_2d.CASES),
    "fully_connected": _cases(test_fully_connected.CASES),
    "fully_connected_int32": _cases(test_fully_connected.CASES, "float64_sums", bias="int32"),
    "leaky_relu": _cases(test_leaky_relu.CASES),
    "logistic": _cases(test_logistic.CASES, float_steps=2.0),
    "max_pool_2d": _cases(test_max_pool_2d.CASES),
    "maximum": _cases(test_maximum.CASES),
    "mean": _cases(test_mean.CASES),
    "minimum": _cases(test_minimum.CASES),
    "mul": _cases(test_mul.CASES),
    "pad": _cases(test_pad.CASES),
    "quantize": _cases(test_quantize.INT8),
    "relu": _cases(test_relu.CASES),
    "relu6": _cases(test_relu6.CASES),
    "select_v2": _cases(test_select_v2.CASES),
    "softmax": _cases(test_softmax.CASES, float_steps=24.0),
    "strided_slice": _cases(test_strided_slice.CASES),
    "sub": _cases(test_sub.CASES),
    "tanh": _cases(test_tanh.CASES, float_steps=3.0),
}
CASES = [pytest.param(case, id=f"{op}-{case}") for op, table in TABLES.items() for case in table]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES)
def test_int16(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
