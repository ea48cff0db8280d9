"""greater_equal: TFLM's comparison in steps of 1/256, every pair of bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.support import node_problems
from tests.ops.driver import Case, c_equals_reference, c_overlapped, check_name, equals_oracle, reference
from tests.ops.elementwise import Scheme, binary_case, random_triples, shape_cases

OPTIONS = {"output_dtype": "bool"}
CASES = shape_cases("greater_equal", None, **OPTIONS)


def pairs(name: str, a: Scheme, b: Scheme) -> Case:
    """Every pair of a byte and another."""
    values = np.arange(-128, 128, dtype=np.int8)
    data = tuple(grid.reshape(1, 1, -1) for grid in np.meshgrid(values, values))
    schemes = (a, b, a)
    return binary_case(
        name, "greater_equal", None, (1, 65536), (1, 65536), schemes=schemes, data=data, **OPTIONS
    )


CASES += [
    pairs("equal_schemes", (0.05, 3), (0.05, 3)),
    pairs("different_scales", (0.05, 3), (0.021, -100)),
    pairs("scales_of_less_than_a_step", (0.001, 3), (0.0007, 5)),
    pairs("near_1", (0.99999, -128), (0.5, 127)),
    *(
        pairs(f"drawn_{i}", (a / 5, z), (b / 5, w))
        for i, ((a, z), (b, w), _) in enumerate(random_triples(31, 4))
    ),
]


@pytest.mark.parametrize("check", [equals_oracle, c_equals_reference, c_overlapped], ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_greater_equal(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_greater_equal_means_what_it_says(case: Case) -> None:
    """Wherever the operands differ by more than TFLM's step and its rounding."""
    arrays = iter(case.samples_of_inputs())
    reals = []
    for tensor in case.inputs:
        assert isinstance(tensor, Tensor)
        q = next(arrays) if tensor.data is None else tensor.data
        reals.append((q.astype(np.float64) - tensor.zero_point) * tensor.scale)
    difference = reals[0] - reals[1]
    clear = np.abs(difference) > 2 / 256
    (actual,) = reference(case)
    np.testing.assert_array_equal(actual[clear], (difference >= 0)[clear])


def test_scales_of_1_and_more_are_refused() -> None:
    """TFLM aborts there."""
    case = binary_case("coarse", "greater_equal", None, (1, 4), (1, 4), schemes=((1.0, 0),) * 3, **OPTIONS)
    (problem,) = node_problems(case.node())
    assert "below 1" in problem.rule
    assert case.output_quant == QuantParams.per_tensor(1.0)
