"""select_v2: raw bytes by a condition; every operand may broadcast."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.support import node_problems
from tests.ops.driver import (
    Case,
    activation,
    c_equals_reference,
    c_overlapped,
    check_name,
    equals_oracle,
    reference,
)

QUANT = QuantParams.per_tensor(0.05, -9)


def case(name: str, *shapes: Sequence[int], constant: int | None = None) -> Case:
    rng = np.random.default_rng(9)
    condition = Tensor("condition", tuple(shapes[0]), "bool")
    operands = [activation(label, shape, 0.05, -9) for label, shape in zip("ab", shapes[1:], strict=True)]
    data = [rng.integers(0, 2, (5, *shapes[0])).astype(bool)]
    for index, shape in enumerate(shapes[1:]):
        values = rng.integers(-128, 128, (5, *shape)).astype(np.int8)
        if index + 1 == constant:
            operands[index] = Tensor.constant("ab"[index], values[0], QUANT)
        else:
            data.append(values)
    return Case(name, "select_v2", None, (condition, *operands), QUANT, data=tuple(data))


FULL = (1, 4, 3, 5)
CASES = [
    case("same", FULL, FULL, FULL),
    case("constant", FULL, FULL, FULL, constant=1),
    case("scalar_chosen", FULL, (1,), FULL, constant=1),
    case("scalar_other", FULL, FULL, (1,), constant=2),
    case("one_condition", (1, 1), (1, 6), (1, 6)),
    case("channels", FULL, (1, 1, 1, 5), FULL),
    case("condition_of_rows", (1, 4, 1, 1), FULL, FULL),
    case("condition_of_channels", (1, 1, 1, 5), FULL, FULL),
    case("rank_2", (1, 9), (1, 9), (1, 1)),
    case("both_small", FULL, (1, 1, 1, 1), (1, 1, 3, 1)),
    case("all_differ", (1, 4, 1, 1), (1, 1, 3, 1), (1, 1, 1, 5)),
]


@pytest.mark.parametrize("check", [equals_oracle, c_equals_reference, c_overlapped], ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_select_v2(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_select_v2_selects(case: Case) -> None:
    arrays = iter(case.samples_of_inputs())
    operands = [next(arrays) if t.data is None else t.data for t in case.inputs if t is not None]
    if case.name != "constant":
        operands = [x if x.ndim > 1 else x.reshape(1) for x in operands]
    np.testing.assert_array_equal(reference(case)[0], np.where(*operands))


def test_refusals() -> None:
    good = case("good", FULL, FULL, FULL)
    other_scale = (*good.inputs[:2], activation("b", FULL, 0.04, -9))
    (problem,) = node_problems(Case("scales", "select_v2", None, other_scale, QUANT).node())
    assert "same scale" in problem.rule
    int8_condition = (activation("condition", FULL, 0.05, -9), *good.inputs[1:])
    (problem,) = node_problems(Case("types", "select_v2", None, int8_condition, QUANT).node())
    assert "bool" in problem.rule
