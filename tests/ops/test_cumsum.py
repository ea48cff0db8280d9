"""cumsum: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from mcu_quant.ops.cumsum import MOST_ELEMENTS, CumsumAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, unary_case


def _case(
    name: str, attrs: CumsumAttrs, shape: tuple[int, ...], x: float = 0.05, y: tuple[float, int] = (0.3, -7)
) -> Case:
    return unary_case(name, "cumsum", attrs, shape, x=(x, 0), y=y)


CASES = [
    _case("time", CumsumAttrs(1), (1, 9, 4)),
    _case("exclusive", CumsumAttrs(1, exclusive=True), (1, 9, 4)),
    _case("reverse", CumsumAttrs(1, reverse=True), (1, 9, 4)),
    _case("exclusive_reverse", CumsumAttrs(1, True, True), (1, 9, 4)),
    _case("last_axis", CumsumAttrs(2, reverse=True), (1, 3, 7)),
    _case("middle_of_image", CumsumAttrs(2, exclusive=True), (1, 3, 5, 2)),
    _case("rank_5", CumsumAttrs(3), (1, 2, 3, 4, 2)),
    _case("batch", CumsumAttrs(0), (1, 6)),
    _case("one_element", CumsumAttrs(1), (1, 1)),
    _case("one_element_exclusive", CumsumAttrs(1, exclusive=True), (1, 1, 3)),
    _case("longest", CumsumAttrs(1), (1, MOST_ELEMENTS, 2), y=(1.5, 3)),
    _case("saturated", CumsumAttrs(1), (1, 12, 2), y=(0.01, 127)),
    _case("zero_point_low", CumsumAttrs(1), (1, 12, 2), y=(0.3, -128)),
    _case("multiplier_0", CumsumAttrs(1), (1, 12, 2), y=(1e9, 5)),
    _case("finest_output", CumsumAttrs(1), (1, 3, 2), x=1.0, y=(2.0**-18, 0)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_cumsum(case: Case, check) -> None:
    check(case)


def test_what_tflm_sums_wrongly_is_refused() -> None:
    shifted = unary_case("z", "cumsum", CumsumAttrs(1), (1, 4), x=(0.05, 3), y=(0.3, 0))
    (problem,) = node_problems(shifted.node())
    assert "zero_point must be 0" in problem.rule
    (problem,) = node_problems(_case("long", CumsumAttrs(1), (1, MOST_ELEMENTS + 1)).node())
    assert "at most 31 elements" in problem.rule
