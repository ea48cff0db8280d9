"""strided_slice: ranges, strides, dropped axes, both signs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.ir import Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.strided_slice import StridedSliceAttrs, attrs_of
from tests.ops.driver import CHECKS, Case, check_name, reference, same_in_a_file, unary_case

SHAPE = (1, 6, 5, 7)
SLICES: dict[str, tuple[slice | int, ...]] = {
    "whole": (),
    "rows": (slice(None), slice(1, 4)),
    "columns": (slice(None), slice(None), slice(2, 3)),
    "channels": (slice(None), slice(None), slice(None), slice(3, None)),
    "every_second": (slice(None), slice(None, None, 2), slice(1, None, 2), slice(None, None, 3)),
    "past_the_end": (slice(None), slice(-3, 100), slice(-100, 2)),
    "one_row": (slice(None), 2),
    "last_channel": (slice(None), slice(None), slice(None), -1),
    "element": (slice(None), 1, 2, 3),
    "reversed": (slice(None), slice(None, None, -1), slice(None), slice(None, None, -1)),
    "backwards": (slice(None), slice(4, 1, -1), slice(None, None, -2)),
}
FIVE = (slice(None), slice(1, None), slice(None, None, 2), slice(0, 1), slice(1, 3))
CASES = [
    unary_case(name, "strided_slice", attrs_of(index, SHAPE), SHAPE) for name, index in SLICES.items()
] + [
    unary_case("vector", "strided_slice", attrs_of((slice(None), slice(3, 9)), (1, 12)), (1, 12)),
    # TFLM slices no more than four axes.
    unary_case("five_axes", "strided_slice", attrs_of(FIVE, (1, 3, 4, 2, 5)), (1, 3, 4, 2, 5), oracle=None),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_strided_slice(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("name", SLICES)
def test_slices_are_numpys(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    (x,), (y,) = case.samples_of_inputs(), reference(case)
    np.testing.assert_array_equal(y, x[(slice(None), *SLICES[name])])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_file_says_the_same(case: Case) -> None:
    same_in_a_file(case)


class Options:
    """As the generated accessors give them."""

    def __init__(self, **values: int) -> None:
        self.values = values

    def __getattr__(self, name: str) -> Any:
        return lambda: self.values.get(name, 0)


def read(begin: list[int], end: list[int], strides: list[int], **options: int) -> StridedSliceAttrs:
    constants = [Tensor.constant(str(i), np.array(v, np.int32)) for i, v in enumerate((begin, end, strides))]
    node = TfliteNode("node", "STRIDED_SLICE", Options(**options), (Tensor("x", (1, 8, 4)), *constants), ())
    attrs, _ = OPERATORS["strided_slice"].from_tflite(node)
    return attrs


def test_masks() -> None:
    whole, shape = slice(None), (1, 8, 4)
    begin, end, ones = [0, 5, 1], [1, 2, 3], [1, 1, 1]
    assert read(begin, end, ones, BeginMask=2) == attrs_of((whole, slice(None, 2), slice(1, 3)), shape)
    assert read(begin, end, ones, EndMask=6) == attrs_of((whole, slice(5, None), slice(1, None)), shape)
    assert read([0, -1], [1, 0], [1, 1], ShrinkAxisMask=2) == attrs_of((whole, -1), shape)


def test_refusals() -> None:
    for mask in ("EllipsisMask", "NewAxisMask"):
        with pytest.raises(UnsupportedModelError, match=mask):
            read([0], [1], [1], **{mask: 1})
    for begin, end, strides in (([0], [1], [0]), ([0, 0], [1], [1]), ([0] * 4, [1] * 4, [1] * 4)):
        with pytest.raises(InvalidModelError, match="as many"):
            read(begin, end, strides)
    computed = tuple(Tensor(name, (1,), "int32") for name in "bes")
    with pytest.raises(UnsupportedModelError, match="constant"):
        OPERATORS["strided_slice"].from_tflite(
            TfliteNode("node", "STRIDED_SLICE", Options(), (Tensor("x", (1, 8)), *computed), ())
        )
    with pytest.raises(ValueError, match="index"):
        attrs_of((slice(None), 8), (1, 8))
