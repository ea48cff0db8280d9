"""relu6: all 256 inputs under many scales."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mcu_quant.ops.relu6 import Relu6Attrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import every_input, random_schemes

CASES = [
    every_input(f"drawn_{i}", "relu6", Relu6Attrs(), x, x)
    for i, (x, _) in enumerate(random_schemes(13, 10, 1e-3, 1.0))
]
CASES += [
    every_input("lowest_zero_point", "relu6", Relu6Attrs(), (0.05, -128), (0.05, -128)),
    every_input("highest_zero_point", "relu6", Relu6Attrs(), (0.05, 127), (0.05, 127)),
    every_input("one_step", "relu6", Relu6Attrs(), (7.0, -3), (7.0, -3)),
    every_input("nothing_reaches_6", "relu6", Relu6Attrs(), (0.001, 0), (0.001, 0)),
    every_input("half_a_step", "relu6", Relu6Attrs(), (4.0, 0), (4.0, 0)),
]


def test_relu6_does_not_rescale() -> None:
    case = every_input("two_scales", "relu6", Relu6Attrs(), (0.05, 0), (0.025, 0))
    (problem,) = node_problems(case.node())
    assert "same scale" in problem.rule


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_relu6(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
