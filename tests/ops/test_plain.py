"""Operators on conditions and whole numbers (bool, int32, int64): TFLM's values, or LiteRT's, and C's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from mcu_quant.ir import BoundNode, Node, Tensor
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.concatenation import ConcatenationAttrs
from mcu_quant.ops.forms import PLAIN_TYPES
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.softmax import SoftmaxAttrs
from mcu_quant.ops.support import node_problems
from tests.ops import (
    test_broadcast_to,
    test_cast,
    test_gather,
    test_gather_nd,
    test_mirror_pad,
    test_one_hot,
    test_strided_slice,
    test_transpose,
)
from tests.ops.arg_extremum import plain_arg_cases
from tests.ops.driver import Case, check_name, reference
from tests.ops.plain import PLAIN_CHECKS, as_plain, plain_case, plain_shape_cases

FULL = (1, 4, 3, 5)
NONE = ArithmeticAttrs()


def _comparison(op: str, *more: str) -> list[Case]:
    """int32 in every shape; the other types once, with values that often are equal."""
    cases = plain_shape_cases(op, None, limit=3)
    cases.append(plain_case("extremes", op, None, [FULL, FULL]))
    cases += [plain_case(dtype, op, None, [FULL, (1, 1, 1, 5)], dtype, limit=2) for dtype in more]
    return cases


def _arithmetic(op: str, **options: Any) -> list[Case]:
    cases = plain_shape_cases(op, NONE, limit=40000, **options)
    return [*cases, plain_case("wraps", op, NONE, [FULL, FULL], **options)]


def _whole(op: str, **options: Any) -> list[Case]:
    return plain_shape_cases(op, None, limit=40000, **options)


def _select() -> list[Case]:
    """TFLM's SELECT_V2 has no such types."""
    cases = []
    for dtype in PLAIN_TYPES:
        types = ("bool", dtype, dtype)
        cases += [
            plain_case(f"same_{dtype}", "select_v2", None, [FULL] * 3, types, oracle="LiteRT"),
            plain_case(
                f"differ_{dtype}",
                "select_v2",
                None,
                [(1, 4, 1, 1), (1, 1, 3, 1), (1, 1, 1, 5)],
                types,
                oracle="LiteRT",
            ),
            plain_case(f"channels_{dtype}", "select_v2", None, [(1, 5), FULL, FULL], types, oracle="LiteRT"),
            plain_case(
                f"one_{dtype}", "select_v2", None, [(1,), FULL, (1,)], types, constant=2, oracle="LiteRT"
            ),
        ]
    return cases


def _pad() -> list[Case]:
    """TFLM pads no bool."""
    cases = []
    for dtype in ("bool", "int32"):
        for shape, paddings in (
            ((1, 3, 2), ((0, 0), (1, 2), (0, 3))),
            ((1, 3, 2), ((0, 0), (0, 0), (0, 0))),
            ((1, 3, 2), ((0, 0), (0, 1), (4, 0))),
            ((1, 1), ((0, 0), (2, 1))),
            ((1, 7), ((0, 0), (0, 1))),
        ):
            name = f"{dtype}_{shape[1]}_{'_'.join(str(size) for pair in paddings[1:] for size in pair)}"
            cases.append(plain_case(name, "pad", PadAttrs(paddings), [shape], dtype, oracle="LiteRT"))
    return cases


def _concatenation() -> list[Case]:
    """TFLM joins no bool."""
    cases = []
    for dtype in PLAIN_TYPES:
        for name, axis, shapes in (
            ("lines", 1, [(1, 3), (1, 1), (1, 2)]),
            ("rows", 1, [(1, 3, 2), (1, 1, 2), (1, 2, 2)]),
            ("columns", 2, [(1, 3, 2), (1, 3, 1)]),
            ("channels", 3, [(1, 2, 2, 1), (1, 2, 2, 3), (1, 2, 2, 2)]),
        ):
            attrs = ConcatenationAttrs(axis)
            name = f"{name}_{dtype}"
            cases.append(plain_case(name, "concatenation", attrs, shapes, dtype, oracle="LiteRT"))
    return cases


def _moves(table: Sequence[Case]) -> list[Case]:
    """Every shape in one of the types."""
    return [as_plain(case, PLAIN_TYPES[index % 3]) for index, case in enumerate(table)]


def _moved(cases: Sequence[Case]) -> list[Case]:
    """As of int8, where TFLM moves no such types: int32 in every way, the others in some."""
    found = [as_plain(case, "int32", case.oracle and "LiteRT") for case in cases]
    return found + [as_plain(case, dtype, "LiteRT") for case in cases[:4] for dtype in ("bool", "int64")]


_CONDITIONS = ((), (1,), (1, 1), (1, 7), (1, 64), (1, 3, 5), (1, 2, 2, 2), FULL, (1, 2, 1, 3, 2), (1, 100))


TABLES: dict[str, list[Case]] = {
    "equal": _comparison("equal", "int64", "bool"),
    "not_equal": _comparison("not_equal", "int64", "bool"),
    "less": _comparison("less", "int64"),
    "less_equal": _comparison("less_equal", "int64"),
    "greater": _comparison("greater", "int64"),
    "greater_equal": _comparison("greater_equal", "int64"),
    "logical_and": plain_shape_cases("logical_and", None, "bool"),
    "logical_or": plain_shape_cases("logical_or", None, "bool"),
    "logical_not": [plain_case(f"shape_{s}", "logical_not", None, [s], "bool") for s in _CONDITIONS],
    "add": _arithmetic("add"),
    "sub": _arithmetic("sub"),
    "mul": _arithmetic("mul"),
    "div": _arithmetic("div"),
    "squared_difference": _whole("squared_difference"),
    "floor_div": _whole("floor_div", oracle="LiteRT"),
    "floor_mod": _whole("floor_mod", oracle="LiteRT"),
    "minimum": plain_shape_cases("minimum", None),
    "maximum": plain_shape_cases("maximum", None),
    "select_v2": _select(),
    "arg_max": plain_arg_cases("arg_max"),
    "arg_min": plain_arg_cases("arg_min"),
    "cast": test_cast.PLAIN,
    "pad": _pad(),
    "concatenation": _concatenation(),
    "strided_slice": _moves(test_strided_slice.CASES),
    "transpose": _moves(test_transpose.CASES),
    "broadcast_to": _moves(test_broadcast_to.CASES),
    "gather": _moved([*test_gather.CASES, *test_gather.BEYOND]),
    "gather_nd": _moved(test_gather_nd.CASES),
    "one_hot": _moved(test_one_hot.CASES),
    "mirror_pad": _moved(test_mirror_pad.CASES),
}
CASES = [pytest.param(case, id=f"{op}-{case}") for op, table in TABLES.items() for case in table]


@pytest.mark.parametrize("check", PLAIN_CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES)
def test_plain(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


def test_a_reshape_of_whole_numbers_keeps_them() -> None:
    case = plain_case("numbers", "reshape", ReshapeAttrs((1, 6)), [(1, 2, 3)], "int32")
    assert not node_problems(case.node()) and case.data is not None
    np.testing.assert_array_equal(reference(case)[0], case.data[0].reshape(-1, 1, 6))


@pytest.mark.parametrize(
    ("op", "attrs", "types", "rule"),
    [
        ("softmax", SoftmaxAttrs(), ("int32", "int32"), "computes no conditions"),
        ("add", NONE, ("int32", "bool", "int32"), "b must be int32"),
        ("mul", ArithmeticAttrs("relu"), ("int32", "int32", "int32"), "TFLM leaves it out"),
        ("add", NONE, ("int64", "int64", "int64"), "must be int32"),
        ("less", None, ("bool", "bool", "bool"), "must be int32 or int64"),
        ("less", None, ("int32", "int64", "bool"), "b must be int32"),
        ("less", None, ("int32", "int32", "int32"), "y must be bool"),
        ("logical_and", None, ("float32", "float32", "float32"), "must be bool"),
        ("logical_not", None, ("int32", "bool"), "must be bool"),
        ("select_v2", None, ("bool", "int32", "bool", "int32"), "must be int32"),
    ],
)
def test_types_are_refused_in_a_sentence(op: str, attrs: Any, types: tuple[str, ...], rule: str) -> None:
    names = (*"abc"[: len(types) - 1], "y")
    *inputs, output = (Tensor(name, (1, 2), t) for name, t in zip(names, types, strict=True))
    node = BoundNode(Node("node", op, attrs, names[:-1], ("y",)), tuple(inputs), (output,))
    assert rule in node_problems(node)[0].rule
