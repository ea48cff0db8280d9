"""squared_difference: broadcasting, scales far apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name
from tests.ops.elementwise import Scheme, binary_case, shape_cases

OP = "squared_difference"
SCHEMES = ((0.05, 3), (0.02, -7), (0.7, -100))


def _vectors(name: str, schemes: tuple[Scheme, Scheme, Scheme]) -> Case:
    return binary_case(name, OP, None, (1, 120), (1, 120), schemes=schemes, float_steps=1.5)


def _drawn(count: int) -> list[Case]:
    """Output scales at which the largest squares about fit."""
    rng, cases = np.random.default_rng(11), []
    for index in range(count):
        a, b = (float(np.exp(rng.uniform(np.log(1e-3), np.log(4.0)))) for _ in range(2))
        y = (100 * max(a, b)) ** 2 / 256 * float(2.0 ** rng.uniform(-3, 2))
        z = rng.integers(-128, 128, 3).tolist()
        cases.append(_vectors(f"drawn_{index}", ((a, z[0]), (b, z[1]), (y, z[2]))))
    return cases


# A step of the common scale, of which there are 128 to one of the larger operand's, is squared, too.
CASES = shape_cases(OP, None, schemes=SCHEMES, float_steps=1.5)
CASES += [
    *_drawn(6),
    _vectors("zero_points_low", ((0.05, -128), (0.05, -128), (2.0, 127))),
    _vectors("zero_points_high", ((0.05, 127), (0.05, 127), (2.0, -128))),
    _vectors("scales_apart", ((1e-3, 5), (3.0, -7), (400.0, -128))),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_squared_difference(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_output_scales_that_are_too_fine_are_refused() -> None:
    """TFLM aborts there."""
    (problem,) = node_problems(_vectors("fine", ((1.0, 0), (1.0, 0), (1e-4, 0))).node())
    assert "2**14" in problem.rule
