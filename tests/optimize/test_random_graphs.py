"""Ranges and rewrites over the hunter's random graphs."""

from __future__ import annotations

from hypothesis import assume, given, settings

from mcu_quant.ops.support import find_problems
from tests.hunter.graphs import Case, quantized_cases
from tests.optimize.soundness import assert_in_range, assert_optimized_is_same


@given(quantized_cases())
@settings(max_examples=150)
def test_random_graphs(case: Case) -> None:
    assume(not find_problems(case.graph))
    assert_in_range(case.graph, case.inputs)
    assert_optimized_is_same(case.graph, case.inputs)
