"""l2_normalization: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.ops.driver import CHECKS, Case, check_name, unary_case


def _case(name: str, shape: tuple[int, ...], x: tuple[float, int] = (0.05, 3), **options: Any) -> Case:
    return unary_case(name, "l2_normalization", None, shape, x=x, y=(1 / 128, 0), **options)


CASES = [
    _case("vector", (1, 9)),
    _case("rows", (1, 5, 4)),
    _case("image", (1, 3, 2, 7)),
    _case("long", (1, 2, 300)),
    _case("one_each", (1, 6, 1)),
    _case("two", (1, 40, 2)),
    _case("zero_point_low", (1, 3, 33), (0.05, -128)),
    _case("zero_point_high", (1, 3, 33), (0.05, 127)),
    _case("zero_point_0", (1, 3, 33), (0.05, 0)),
    _case("coarse", (1, 3, 20), (1e3, -5)),
    _case("fine", (1, 3, 20), (0.001, -5)),
    # From no step on: a row of zeros, and rows of one and two steps.
    _case("short", (1, 4, 3), data=(np.array([[[[3, 3, 3], [4, 3, 3], [3, 2, 4], [3, 3, 1]]]], np.int8),)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_l2_normalization(case: Case, check) -> None:
    check(case)
