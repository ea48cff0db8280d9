"""gather: every axis, batch_dims, constants, indices beyond the table. Each ID reruns one case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError
from mcu_quant.ir import Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.gather import GatherAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, operands, reference, same_in_a_file
from tests.ops.indexed import beyond_the_table, index_case


def case(name: str, axis: int, table: tuple[int, ...], indices: tuple[int, ...], **options: Any) -> Case:
    attrs = GatherAttrs(axis, options.pop("batch_dims", 0))
    return index_case(name, "gather", attrs, table, indices, table[axis], **options)


CASES = [
    case("embedding", 0, (11, 5), (1, 7), constant="table"),
    case("embedding_of_images", 0, (11, 6), (1, 4, 3), constant="table", x=(0.02, -128)),
    case("one_entry", 0, (1, 1), (1, 1), constant="table", x=(10.0, 127)),
    case("vector", 0, (9,), (1, 5), constant="table"),
    case("rows", 1, (1, 6, 5), (1, 4), x=(0.1, 127)),
    case("channels", 3, (1, 3, 4, 7), (1, 9), x=(1e-4, -128)),
    case("constant_indices", 2, (1, 3, 6, 2), (5,), constant="indices"),
    case("constant_channels", 2, (1, 5, 8), (3,), constant="indices"),
    case("square_of_indices", 1, (1, 6, 3), (1, 2, 3)),
    case("batch", 1, (1, 6, 5), (1, 4), batch_dims=1),
    case("two_batches", 2, (1, 3, 6, 2), (1, 3, 4), batch_dims=2),
    case("batch_and_blocks", 2, (1, 3, 6, 2), (1, 4), batch_dims=1),
    case("index", 1, (1, 6, 5), ()),
    case("five_axes", 3, (1, 2, 3, 4), (1, 3)),
]
BEYOND = [beyond_the_table(case) for case in (CASES[0], CASES[5], CASES[10])]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, *BEYOND], ids=str)
def test_gather(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_read_is_numpys(case: Case) -> None:
    node, arrays = operands(case)
    table, indices = (
        x if x.ndim > len(t.shape) else x[None] for x, t in zip(arrays, node.inputs, strict=True)
    )
    batch, axis = case.attrs.batch_dims, case.attrs.axis
    for sample, y in enumerate(reference(case)[0]):
        x, where = table[sample % len(table)], indices[sample % len(indices)]
        lead = x.shape[:batch]
        expected = [np.take(x[i], where[i], axis - batch) for i in np.ndindex(lead)]
        np.testing.assert_array_equal(y, np.array(expected).reshape(y.shape))


@pytest.mark.parametrize("case", BEYOND, ids=str)
def test_indices_beyond_the_table_are_limited_to_it(case: Case) -> None:
    last = case.inputs[0].shape[case.attrs.axis] - 1  # type: ignore[union-attr]
    limited = tuple(np.clip(x, 0, last) if x.dtype == np.int32 else x for x in case.data or ())
    np.testing.assert_array_equal(reference(case)[0], reference(replace(case, data=limited))[0])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_file_says_the_same(case: Case) -> None:
    same_in_a_file(case)


def with_indices(*values: int) -> Case:
    indices = Tensor.constant("indices", np.array(values, np.int32))
    return replace(CASES[4], inputs=(CASES[4].inputs[0], indices), data=CASES[4].data and CASES[4].data[:1])


def test_refusals() -> None:
    for wrong in (6, -1, 2**31 - 1):
        (problem,) = node_problems(with_indices(0, 5, wrong).node())
        assert "inside the table" in problem.rule and problem.value == str(wrong)
    plain = replace(CASES[4], inputs=(CASES[4].inputs[0], Tensor("indices", (4,), "int64")))
    assert "must be int32" in node_problems(plain.node())[0].rule
    other = replace(CASES[4], inputs=(replace(CASES[4].inputs[0], dtype="int16"), CASES[4].inputs[1]))
    assert node_problems(other.node())


class Options:
    """As the generated accessors give them."""

    def __init__(self, axis: int, batch_dims: int = 0) -> None:
        self.Axis, self.BatchDims = lambda: axis, lambda: batch_dims


def read(table: tuple[int, ...], indices: Tensor, axis: int, batch_dims: int = 0) -> Any:
    inputs = (Tensor("table", table), indices)
    return OPERATORS["gather"].from_tflite(TfliteNode("n", "GATHER", Options(axis, batch_dims), inputs, ()))


def test_files() -> None:
    indices = Tensor("indices", (1, 3, 4), "int32")
    assert read((1, 3, 6, 2), indices, -2, -1)[0] == GatherAttrs(2, 2)
    for axis, batch_dims in ((4, 0), (-5, 0), (0, 4), (0, -4)):
        with pytest.raises(InvalidModelError, match="within"):
            read((1, 3, 6, 2), indices, axis, batch_dims)
    for axis, batch_dims in ((1, 2), (3, 3)):
        with pytest.raises(ValueError, match="does not fit"):
            OPERATORS["gather"].output_shapes(GatherAttrs(axis, batch_dims), [(1, 3, 6, 2), (1, 3, 4)])
    wide = Tensor.constant("indices", np.array([3, 2**40, -(2**40)], np.int64))
    (_, narrow) = read((9,), wide, 0)[1]
    assert narrow.data.dtype == np.int32 and narrow.data.tolist() == [3, 2**31 - 1, -(2**31)]
    _, (table, where) = OPERATORS["gather"].from_tflite(
        TfliteNode("n", "EMBEDDING_LOOKUP", None, (Tensor("i", (1,), "int32"), Tensor("t", (9, 2))), ())
    )
    assert table.name == "t" and where.name == "i"
