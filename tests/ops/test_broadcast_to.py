"""broadcast_to: axes of size 1 repeated, and axes added in front."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.ir import Tensor
from mcu_quant.kernels import choose_kernels
from mcu_quant.kernels.base import CORES
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.broadcast_to import BroadcastToAttrs
from mcu_quant.ops.keras import GraphBuilder, KerasLayer, LayerRefused
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, same_in_a_file, unary_case
from tests.tflite_files import integers

#: name: the input's shape and the output's.
SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "channels": ((1, 1, 1, 5), (1, 3, 4, 5)),
    "image": ((1, 3, 4, 1), (1, 3, 4, 5)),
    "rows": ((1, 3, 1, 1), (1, 3, 4, 5)),
    "columns": ((1, 1, 4, 1), (1, 3, 4, 5)),
    "outer_product": ((1, 3, 1, 5), (1, 3, 4, 5)),
    "vectors": ((1, 1, 6), (1, 7, 6)),
    "one_element": ((1, 1), (1, 9)),
    "more_axes": ((1, 5), (1, 3, 4, 5)),
    "one_value_to_a_volume": ((1,), (1, 2, 3, 2, 2)),
    "rank_0": ((), (1, 7)),
    "rank_5": ((1, 2, 1, 3, 1), (1, 2, 4, 3, 2)),
    "leading": ((1, 6), (4, 6)),
    "runs_of_3": ((1, 2, 1, 3), (1, 2, 5, 3)),
}
CASES = [unary_case(name, "broadcast_to", BroadcastToAttrs(y), x) for name, (x, y) in SHAPES.items()] + [
    unary_case("lowest", "broadcast_to", BroadcastToAttrs((1, 3, 2)), (1, 1, 2), x=(1e-6, -128)),
    unary_case("highest", "broadcast_to", BroadcastToAttrs((1, 3, 2)), (1, 1, 2), x=(1e6, 127)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_broadcast_to(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_file_says_the_same(case: Case) -> None:
    same_in_a_file(case)


def test_the_same_shape_is_no_code() -> None:
    case = unary_case("same", "broadcast_to", BroadcastToAttrs((1, 1, 3, 2)), (1, 3, 2))
    (kernel,) = choose_kernels(case.graph(), CORES["generic"])
    assert kernel.is_alias


def read(x: tuple[int, ...], shape: Tensor | None, y: tuple[int, ...]) -> BroadcastToAttrs:
    node = TfliteNode("node", "BROADCAST_TO", None, (Tensor("x", x), shape), (Tensor("y", y),))
    attrs, _ = OPERATORS["broadcast_to"].from_tflite(node)
    assert isinstance(attrs, BroadcastToAttrs)
    return attrs


def test_refusals() -> None:
    assert read((1, 1), integers("shape", [1, 3], "int64"), (1, 3)).shape == (1, 3)
    with pytest.raises(InvalidModelError, match="the output's"):
        read((1, 1), integers("shape", [1, 4]), (1, 3))
    with pytest.raises(UnsupportedModelError, match="must be constant"):
        read((1, 1), Tensor("shape", (2,), "int32"), (1, 3))
    with pytest.raises(ValueError, match="broadcast"):
        OPERATORS["broadcast_to"].output_shapes(BroadcastToAttrs((1, 3)), [(1, 2)])
    with pytest.raises(ValueError, match="broadcast"):
        OPERATORS["broadcast_to"].output_shapes(BroadcastToAttrs((1, 1)), [(1, 2)])


def test_six_axes_are_refused() -> None:
    case = unary_case("six", "broadcast_to", BroadcastToAttrs((1, 2, 2, 2, 2, 2)), (1, 2, 1, 2, 1, 2))
    (problem,) = node_problems(case.node())
    assert "at most 5 axes" in problem.rule


def repeat(count: object, shape: tuple[int, ...]) -> tuple[int, ...]:
    builder = GraphBuilder("model", OPERATORS)
    layer = KerasLayer("layer", "RepeatVector", {"n": count})
    return builder.shape(OPERATORS["broadcast_to"].from_keras(layer, [builder.input("x", shape)], builder))


def test_repeat_vector() -> None:
    assert repeat(4, (1, 6)) == (1, 4, 6)
    for count, shape in ((0, (1, 6)), ("4", (1, 6)), (2, (1, 3, 6))):
        with pytest.raises(LayerRefused, match="repeat vectors"):
            repeat(count, shape)


def test_channels_are_followed_where_they_stay() -> None:
    by_name = {case.name: OPERATORS["broadcast_to"].channel_sources(case.node()) for case in CASES}
    assert by_name["image"] is None
    np.testing.assert_array_equal(by_name["outer_product"], np.arange(5))
