"""div: TFLM's quotients of integers, wherever its source has a meaning; by 0; in float."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.ir import Tensor
from mcu_quant.ops.base import ACTIVATIONS
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, c_equals_reference, check_name, operands, reference
from tests.ops.elementwise import SHAPES, Scheme, binary_case, without_0

#: TFLM shifts small quotients by more than 31 bits, which C leaves open, but not with ratios of 2**7 or more.
SCHEMES = ((1.0, 3), (0.05, -128), (0.1, 11))
NONE = ArithmeticAttrs()


def _vectors(name: str, schemes: tuple[Scheme, Scheme, Scheme], attrs: ArithmeticAttrs = NONE) -> Case:
    return without_0(binary_case(name, "div", attrs, (1, 200), (1, 200), schemes=schemes))


CASES = [
    without_0(binary_case(name, "div", NONE, a, b, constant=c, schemes=SCHEMES))
    for name, (a, b, c) in SHAPES.items()
]
CASES += [
    _vectors(f"activation_{name}", ((1.0, 3), (0.05, 127), (0.03, -20)), ArithmeticAttrs(name))
    for name in ACTIVATIONS[1:]
]
CASES += [
    _vectors(f"zero_points_{a}_{b}_{y}", ((2.0, a), (0.01, b), (1.0, y)))
    for a, b, y in ((-128, -128, 127), (127, 127, -128), (-128, 127, 0), (5, 7, 0))
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_div(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def every_pair(schemes: tuple[Scheme, Scheme, Scheme]) -> Case:
    values = np.arange(-128, 128, dtype=np.int8)
    data = tuple(grid.reshape(1, 1, -1) for grid in np.meshgrid(values, values))
    shape = (1, values.size**2)
    return binary_case("pairs", "div", NONE, shape, shape, schemes=schemes, data=data)


@pytest.mark.parametrize(
    "schemes",
    [
        ((0.05, 0), (0.05, 0), (0.05, 0)),
        ((0.05, 3), (0.02, -128), (0.5, -7)),
        ((1e-3, 0), (4.0, 5), (1e-5, 0)),
        ((1e-4, 0), (1.0, -128), (9.0, -128)),
    ],
    ids=str,
)
def test_every_quotient_is_the_nearest_or_next_to_it(schemes: tuple[Scheme, Scheme, Scheme]) -> None:
    """Also where TFLM has none; by 0 the end of the type, and 0 / 0 is 0."""
    case = every_pair(schemes)
    c_equals_reference(case)
    node, (first, second) = operands(case)
    assert first is not None and second is not None
    a, b = (x.astype(np.float64) - node.input(i).zero_point for i, x in enumerate((first, second)))
    ratio = node.input(0).scale / (node.input(1).scale * node.output.scale)
    quotient = np.where(b == 0, np.sign(a) * 1e9, a / np.where(b == 0, 1, b) * ratio)
    exact = np.clip(quotient + node.output.zero_point, -128, 127)
    assert np.abs(reference(case)[0] - exact).max() <= 0.51


def test_ratios_that_would_be_shifted_left_are_refused() -> None:
    schemes = ((4.0, 0), (1e-4, 0), (1e-3, 0))
    case = binary_case("steep", "div", NONE, (1, 4), (1, 4), schemes=schemes)
    (problem,) = node_problems(case.node())
    assert "2**23" in problem.rule


def test_a_quantized_division_by_a_tensor_of_one_element_is_a_table() -> None:
    case = binary_case("scalar", "div", NONE, (1, 9), (1,), constant=1)
    assert isinstance(case.inputs[1], Tensor) and case.inputs[1].is_constant
    c_equals_reference(without_0(case))
