"""transpose: axes in another order; what moves nothing is no code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.ir import Tensor
from mcu_quant.kernels import choose_kernels
from mcu_quant.kernels.base import CORES
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.support import node_problems
from mcu_quant.ops.transpose import TransposeAttrs
from tests.ops.driver import CHECKS, Case, check_name, reference, same_in_a_file, unary_case
from tests.tflite_files import integers

#: name: the input's shape and the order of its axes.
ORDERS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "to_channels_first": ((1, 4, 5, 3), (0, 3, 1, 2)),
    "to_channels_last": ((1, 3, 4, 5), (0, 2, 3, 1)),
    "rows_and_columns": ((1, 4, 5, 3), (0, 2, 1, 3)),
    "matrix": ((1, 6, 7), (0, 2, 1)),
    "square": ((1, 5, 5), (0, 2, 1)),
    "batch_last": ((1, 4, 3), (1, 2, 0)),
    "reversed": ((1, 2, 3, 4), (3, 2, 1, 0)),
    "rank_2": ((1, 9), (1, 0)),
    "one_element": ((1, 1, 1), (2, 0, 1)),
    "rank_1": ((1,), (0,)),
    "rank_5": ((1, 2, 3, 2, 5), (0, 4, 2, 3, 1)),
    "rank_5_runs": ((1, 3, 2, 4, 3), (0, 1, 3, 2, 4)),
    "runs_of_7": ((1, 2, 3, 7), (0, 2, 1, 3)),
    "runs_of_12": ((1, 2, 3, 12), (0, 2, 1, 3)),
    "nothing_moves": ((1, 4, 1, 6), (0, 2, 1, 3)),
    "identity": ((1, 4, 3), (0, 1, 2)),
}


def transposed(name: str, shape: Sequence[int], order: tuple[int, ...], **options: object) -> Case:
    return unary_case(name, "transpose", TransposeAttrs(order), shape, **options)  # type: ignore[arg-type]


ALL = [transposed(name, *case) for name, case in ORDERS.items()] + [
    transposed("lowest_zero_point", (1, 3, 4, 2), (0, 3, 2, 1), x=(1e-6, -128)),
    transposed("highest_zero_point", (1, 3, 4, 2), (0, 3, 2, 1), x=(1e6, 127)),
]
ALIASES = ("one_element", "rank_1", "rank_2", "batch_last", "nothing_moves", "identity")
CASES = [case for case in ALL if case.name not in ALIASES]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_transpose(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


#: TFLM transposes no more than five axes.
SIX = transposed("rank_6", (1, 2, 3, 2, 3, 2), (4, 2, 0, 3, 1, 5), oracle="LiteRT")


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
def test_six_axes(check: Callable[[Case], None]) -> None:
    check(SIX)


@pytest.mark.parametrize("check", CHECKS[:2], ids=check_name)
@pytest.mark.parametrize("case", [case for case in ALL if case.name in ALIASES], ids=str)
def test_what_moves_nothing_is_no_code(case: Case, check: Callable[[Case], None]) -> None:
    check(case)
    (kernel,) = choose_kernels(case.graph(), CORES["generic"])
    assert kernel.is_alias
    assert reference(case)[0].tobytes() == case.samples_of_inputs()[0].tobytes()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_moves_is_code(case: Case) -> None:
    (kernel,) = choose_kernels(case.graph(), CORES["generic"])
    assert not kernel.is_alias


@pytest.mark.parametrize("case", ALL, ids=str)
def test_the_file_says_the_same(case: Case) -> None:
    same_in_a_file(case)


def read(shape: tuple[int, ...], order: Tensor | None) -> TransposeAttrs:
    node = TfliteNode("node", "TRANSPOSE", None, (Tensor("x", shape), order), ())
    attrs, _ = OPERATORS["transpose"].from_tflite(node)
    assert isinstance(attrs, TransposeAttrs)
    return attrs


def test_axes_may_count_from_the_end() -> None:
    assert read((1, 2, 3), integers("order", [0, -1, -2], "int64")).permutation == (0, 2, 1)


@pytest.mark.parametrize("order", [[0, 1], [0, 1, 1], [0, 1, 3], [-4, 1, 2], [0, 1, 2, 3], []])
def test_no_order_of_the_axes(order: list[int]) -> None:
    with pytest.raises(InvalidModelError, match="each of 3 axes once"):
        read((1, 2, 3), integers("order", order))


def test_a_computed_order_is_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="permutation must be constant"):
        read((1, 2, 3), Tensor("order", (3,), "int32"))


def test_seven_axes_are_refused() -> None:
    case = transposed("seven", (1, 2, 2, 2, 2, 2, 2), (0, 6, 5, 4, 3, 2, 1))
    rules = [problem.rule for problem in node_problems(case.node())]
    assert any("at most 6 axes" in rule for rule in rules)


def permute(dims: object, shape: tuple[int, ...]) -> tuple[int, ...]:
    builder = GraphBuilder("model", OPERATORS)
    layer = KerasLayer("layer", "Permute", {"dims": dims})
    return builder.shape(OPERATORS["transpose"].from_keras(layer, [builder.input("x", shape)], builder))


def test_permute() -> None:
    assert permute([3, 1, 2], (1, 4, 5, 3)) == (1, 3, 4, 5)
    for dims in ([1, 2], [0, 1, 2], [1, 1, 2]):
        with pytest.raises(LayerRefused, match="order of the axes"):
            permute(dims, (1, 4, 5, 3))


def test_channels_are_followed_where_they_stay() -> None:
    by_name = {case.name: OPERATORS["transpose"].channel_sources(case.node()) for case in ALL}
    assert by_name["matrix"] is None
    np.testing.assert_array_equal(by_name["rows_and_columns"], np.arange(3))
