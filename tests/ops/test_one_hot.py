"""one_hot: every axis, values, indices beyond the axis. TFLM has none. Each ID reruns one case."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.base import TfliteNode
from mcu_quant.ops.one_hot import OneHotAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, reference, same_in_a_file


def case(
    name: str,
    shape: tuple[int, ...],
    depth: int,
    axis: int,
    *,
    values: tuple[int, int] = (127, -128),
    y: tuple[float, int] = (1 / 255, -128),
) -> Case:
    """Indices from -2 to depth + 1. values: raw, where they are and elsewhere."""
    rng, quant = np.random.default_rng(zlib.crc32(name.encode())), QuantParams.per_tensor(*y)
    on, off = (
        Tensor.constant(label, np.array(value, np.int8), quant)
        for label, value in zip(("on", "off"), values, strict=True)
    )
    data = rng.integers(-2, depth + 2, (5, *shape)).astype(np.int32)
    data[0], data[1], data[2] = 0, depth - 1, 2**31 - 1
    inputs = (Tensor("indices", shape, "int32"), on, off)
    return Case(name, "one_hot", OneHotAttrs(depth, axis), inputs, quant, data=(data,), oracle="LiteRT")


CASES = [
    case("last_axis", (1, 5), 7, 2),
    case("middle", (1, 5), 7, 1),
    case("first_axis", (1, 5), 7, 0),
    case("of_images", (1, 3, 4), 5, 3),
    case("channels_first", (1, 3, 4), 5, 1),
    case("between", (1, 3, 4), 5, 2),
    case("one_place", (1, 4), 1, 2),
    case("one_index", (1, 1), 9, 2),
    case("vector", (1,), 9, 1),
    case("other_values", (1, 5), 7, 2, values=(3, 100), y=(0.1, 127)),
    case("same_values", (1, 5), 7, 2, values=(5, 5), y=(2.0, 0)),
    case("four_axes", (1, 2, 3, 2), 3, 4),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_one_hot(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_file_says_the_same(case: Case) -> None:
    same_in_a_file(case)


def test_indices_beyond_the_axis_are_nowhere() -> None:
    (y,) = reference(CASES[0])
    assert (y[2] == -128).all()
    assert (y[0, ..., 0] == 127).all() and (y[0, ..., 1:] == -128).all()


class Options:
    """As the generated accessors give them."""

    def __init__(self, axis: int) -> None:
        self.Axis = lambda: axis


def read(depth: Any, axis: int) -> Any:
    given = Tensor("depth", (), "int32")
    if depth is not None:
        given = Tensor.constant("depth", np.array(depth, np.int32))
    inputs = (Tensor("i", (1, 4), "int32"), given, Tensor("on", ()), Tensor("off", ()))
    return OPERATORS["one_hot"].from_tflite(TfliteNode("n", "ONE_HOT", Options(axis), inputs, ()))


def test_refusals() -> None:
    assert read(5, -1)[0] == OneHotAttrs(5, 2) and read([5], 0)[0] == OneHotAttrs(5, 0)
    for depth, axis in ((0, -1), (-3, 0), ([1, 2], 0), (5, 3), (5, -4)):
        with pytest.raises(InvalidModelError, match="one positive number"):
            read(depth, axis)
    with pytest.raises(UnsupportedModelError, match="constant"):
        read(None, 0)
    wide = Tensor.constant("on", np.zeros(2, np.int8), CASES[0].output_quant)
    node = Case("wide", "one_hot", OneHotAttrs(5, 2), (CASES[0].inputs[0], wide, wide), CASES[0].output_quant)
    assert "one element each" in node_problems(node.node())[0].rule
