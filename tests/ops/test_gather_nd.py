"""gather_nd: every depth, constants, indices beyond the table. Each ID reruns one case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcu_quant.ir import Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, operands, reference
from tests.ops.indexed import beyond_the_table, index_case


def case(name: str, table: tuple[int, ...], indices: tuple[int, ...], **options: Any) -> Case:
    return index_case(name, "gather_nd", None, table, indices, table[: indices[-1]], **options)


CASES = [
    case("rows", (6, 5), (1, 4, 1), constant="table"),
    case("elements", (6, 5), (1, 4, 2), constant="table", x=(0.02, -128)),
    case("pixels", (1, 6, 5, 3), (1, 7, 3), x=(0.3, 127)),
    case("whole_images", (1, 6, 5, 3), (1, 2, 1)),
    case("all_axes", (1, 6, 5, 3), (1, 2, 4)),
    case("row", (1, 6, 5), (1, 1, 2)),
    case("one_element", (1, 1), (1, 2)),
    case("constant_indices", (1, 6, 5, 3), (7, 3), constant="indices"),
    case("vector", (9,), (1, 5, 1), constant="table"),
    case("five_axes", (1, 2, 3, 2, 4), (1, 6, 5)),
    case("part_of_five_axes", (1, 2, 3, 2, 4), (1, 6, 3)),
]
BEYOND = [beyond_the_table(case) for case in (CASES[1], CASES[2])]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, *BEYOND], ids=str)
def test_gather_nd(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_read_is_numpys(case: Case) -> None:
    node, arrays = operands(case)
    table, indices = (
        x if x.ndim > len(t.shape) else x[None] for x, t in zip(arrays, node.inputs, strict=True)
    )
    for sample, y in enumerate(reference(case)[0]):
        x, where = table[sample % len(table)], indices[sample % len(indices)]
        np.testing.assert_array_equal(y, x[tuple(np.moveaxis(where, -1, 0))])


def test_indices_beyond_the_table_are_limited_each_by_itself() -> None:
    case = BEYOND[1]
    assert case.data is not None
    limited = np.clip(case.data[1], 0, np.array([1, 6, 5]) - 1)
    np.testing.assert_array_equal(
        reference(case)[0], reference(replace(case, data=(case.data[0], limited)))[0]
    )


def test_refusals() -> None:
    indices = Tensor.constant("indices", np.array([[0, 5, 4], [0, 0, 5]], np.int32))
    wrong = replace(CASES[2], inputs=(CASES[2].inputs[0], indices), data=None)
    (problem,) = node_problems(wrong.node())
    assert "inside the table" in problem.rule and problem.value == "5"
    deep = index_case("deep", "gather_nd", None, (1,) * 6, (2, 6), (1,) * 6)
    assert [problem.rule for problem in node_problems(deep.node())] == ["at most 5 indices for one part"]
    for shapes in ([(2, 3), (4, 3)], [(2, 3), ()]):
        with pytest.raises(ValueError, match="indices of shape"):
            OPERATORS["gather_nd"].output_shapes(None, shapes)
