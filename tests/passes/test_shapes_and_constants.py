"""Padding, reshapes, constants, dead nodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcu_quant.ir import Graph
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reshape import ReshapeAttrs
from mcu_quant.ops.transpose import TransposeAttrs
from mcu_quant.passes import prepare
from mcu_quant.passes.constants import fold_constants
from mcu_quant.passes.dead import remove_dead_nodes
from mcu_quant.passes.reshapes import simplify_reshapes
from tests.passes.float_models import Model, assert_same_meaning, operators


def padded_conv(size: int, border: tuple[int, int], stride: int, dilation: int = 1) -> Graph:
    m = Model(size, size, 3)
    x = m.node("pad", "pad", PadAttrs(((0, 0), border, border, (0, 0))), m.x)
    return m.graph(
        m.conv(x, "conv", 4, padding="valid", strides=(stride, stride), dilation=(dilation, dilation))
    )


SAME = [(6, (1, 1), 1, 1), (6, (0, 1), 2, 1), (7, (1, 1), 2, 1), (9, (2, 2), 1, 2), (7, (0, 0), 1, 1)]
OTHER = [(6, (1, 1), 2, 1), (6, (0, 1), 1, 1), (7, (0, 1), 2, 1), (6, (2, 2), 1, 1), (9, (1, 1), 1, 2)]


@pytest.mark.parametrize("case", SAME, ids=str)
def test_padding_that_is_same_padding(case: tuple[int, tuple[int, int], int, int]) -> None:
    before = padded_conv(*case)
    after = prepare(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["conv_2d"]


@pytest.mark.parametrize("case", OTHER, ids=str)
def test_padding_that_is_not(case: tuple[int, tuple[int, int], int, int]) -> None:
    before = padded_conv(*case)
    after = prepare(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["pad", "conv_2d"]


def test_padding_of_channels_stays() -> None:
    m = Model(6, 6, 3)
    x = m.node("pad", "pad", PadAttrs(((0, 0), (1, 1), (1, 1), (0, 1))), m.x)
    before = m.graph(m.conv(x, "conv", 4, padding="valid"))
    assert operators(prepare(before)) == ["pad", "conv_2d"]


def test_consecutive_reshapes() -> None:
    m = Model(4, 6)
    before = m.graph(m.dense(m.reshape(m.reshape(m.reshape(m.x, "a", 24), "b", 2, 12), "c", 24), "dense", 3))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert [node.name for node in after.nodes] == ["c", "dense"]


def test_a_reshape_that_others_read_stays() -> None:
    m = Model(4, 6)
    a = m.reshape(m.x, "a", 24)
    before = m.graph(m.dense(a, "dense", 3), m.reshape(a, "b", 8, 3))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert [node.name for node in after.nodes] == ["a", "dense", "b"]


def test_there_and_back_goes() -> None:
    m = Model(4, 6)
    before = m.graph(m.dense(m.reshape(m.reshape(m.x, "a", 24), "b", 4, 6), "dense", 3))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["fully_connected"]


def test_consecutive_transpositions() -> None:
    m = Model(4, 6, 3)
    x = m.node("transpose", "a", TransposeAttrs((0, 3, 1, 2)), m.x)
    x = m.node("transpose", "b", TransposeAttrs((0, 1, 3, 2)), x)
    before = m.graph(m.dense(x, "dense", 3))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert [node.name for node in after.nodes] == ["b", "dense"]
    assert after.nodes[0].attrs.permutation == (0, 3, 2, 1)


def test_a_transposition_and_its_inverse_go() -> None:
    m = Model(4, 4, 4)
    x = m.node("transpose", "a", TransposeAttrs((0, 3, 1, 2)), m.x)
    x = m.node("transpose", "b", TransposeAttrs((0, 2, 3, 1)), x)
    before = m.graph(m.dense(x, "dense", 3))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["fully_connected"]


def test_an_output_keeps_its_name_when_its_reshape_goes() -> None:
    m = Model(24)
    before = m.graph(m.reshape(m.dense(m.x, "dense", 3), "out", 3))
    after = simplify_reshapes(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["fully_connected"] and after.outputs == ("out",)


def test_an_output_that_is_the_input_stays_a_node() -> None:
    m = Model(24)
    before = m.graph(m.reshape(m.x, "out", 24))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["reshape"]


def test_both_names_of_one_value_stay_if_both_are_outputs() -> None:
    m = Model(24)
    y = m.dense(m.x, "dense", 3)
    before = m.graph(y, m.reshape(y, "out", 3))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert after.outputs == ("dense", "out")


def test_constants_are_computed_once() -> None:
    m = Model(24)
    constant = m.node("reshape", "shaped", ReshapeAttrs(shape=(3, 24)), m.constant("c", 72))
    before = m.graph(m.node("fully_connected", "dense", FullyConnectedAttrs(), m.x, constant))
    folded = fold_constants(before)
    assert operators(folded) == ["fully_connected"]
    data, source = folded.tensors["shaped"].data, before.tensors["c"].data
    assert data is not None and source is not None
    assert np.array_equal(data, source.reshape(3, 24))


def test_dead_nodes_go() -> None:
    m = Model(24)
    m.dense(m.dense(m.x, "unused", 5), "unused2", 4)
    after = remove_dead_nodes(m.graph(m.dense(m.x, "dense", 3)))
    assert [node.name for node in after.nodes] == ["dense"] and "unused/kernel" not in after.tensors


GLOBAL = [((6, 6), (6, 6), "valid"), ((6, 6), (6, 6), "same"), ((7, 9), (9, 9), "same")]
LOCAL = [((3, 6), (3, 6), "valid"), ((6, 5), (6, 5), "valid"), ((6, 6), (5, 6), "same")]


@pytest.mark.parametrize("case", GLOBAL, ids=str)
def test_an_average_over_everything_becomes_a_mean(case: tuple[Any, Any, str]) -> None:
    m = Model(6, 6, 3)
    before = m.graph(m.node("average_pool_2d", "pool", Pool2DAttrs(*case), m.x))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["mean"]


@pytest.mark.parametrize("case", LOCAL, ids=str)
def test_other_averages_do_not(case: tuple[Any, Any, str]) -> None:
    m = Model(6, 6, 3)
    before = m.graph(m.node("average_pool_2d", "pool", Pool2DAttrs(*case), m.x))
    assert operators(prepare(before)) == ["average_pool_2d"]
