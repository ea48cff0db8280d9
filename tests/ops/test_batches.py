"""Leading sizes above 1 inside a graph: what takes them computes every batch, what does not refuses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mcu_quant.ops.base import SAME_SCALE
from mcu_quant.ops.support import node_problems
from mcu_quant.ops.windows import ONE_BATCH
from tests.ops import (
    test_add,
    test_average_pool_2d,
    test_conv_2d,
    test_depthwise_conv_2d,
    test_fully_connected,
    test_max_pool_2d,
    test_mean,
    test_mirror_pad,
    test_pad,
    test_resize_bilinear,
    test_resize_nearest_neighbor,
    test_softmax,
    test_strided_slice,
    test_sum,
    test_transpose,
    test_transpose_conv,
)
from tests.ops.driver import Case, c_equals_reference, check_name, equals_oracle, near_float

BATCH = 3
ONE_IMAGE = (
    test_average_pool_2d,
    test_conv_2d,
    test_depthwise_conv_2d,
    test_max_pool_2d,
    test_transpose_conv,
)
ANY = (
    test_add,
    test_fully_connected,
    test_mean,
    test_mirror_pad,
    test_pad,
    test_resize_bilinear,
    test_resize_nearest_neighbor,
    test_softmax,
    test_strided_slice,
    test_sum,
    test_transpose,
)


def batched(case: Case) -> Case:
    """With BATCH samples as one."""
    inputs = tuple(
        t if t is None or t.is_constant or t.shape[:1] != (1,) else replace(t, shape=(BATCH, *t.shape[1:]))
        for t in case.inputs
    )
    return replace(case, name=f"{case.name}_batch", inputs=inputs)


def _cases(*tables: Any) -> list[Any]:
    """The first two of each that draw their inputs."""
    found = []
    for table in tables:
        drawn = [c for c in table.CASES if c.data is None and c.oracle and len(c.inputs[0].shape) > 1]
        found += [pytest.param(batched(case), id=f"{case.op}-{case}") for case in drawn[:2]]
    return found


@pytest.mark.parametrize("case", _cases(*ONE_IMAGE))
def test_windows_take_one_image(case: Case) -> None:
    rules = [problem.rule for problem in node_problems(case.node())]
    assert ONE_BATCH.text in rules and SAME_SCALE.text not in rules


@pytest.mark.parametrize("check", [near_float, equals_oracle, c_equals_reference], ids=check_name)
@pytest.mark.parametrize("case", _cases(*ANY))
def test_others_take_batches(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
