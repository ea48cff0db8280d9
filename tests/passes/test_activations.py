"""Activations: fused into what feeds them alone, through pools and reshapes; else left."""

from __future__ import annotations

from typing import Any

import pytest

from mcu_quant.ir import Graph
from mcu_quant.ops import OPERATORS
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.ops.transpose import TransposeAttrs
from mcu_quant.passes import prepare
from tests.passes.float_models import Model, assert_same_meaning, operators

POOL = Pool2DAttrs((2, 2), (2, 2))


def activation(m: Model, x: str, name: str = "relu") -> str:
    attrs: Any = OPERATORS[name].keras_activations[name]
    return m.node(name, f"{name}_of_{x}", attrs, x)


def fused(graph: Graph) -> list[tuple[str, str]]:
    return [(node.name, getattr(node.attrs, "activation", "")) for node in graph.nodes]


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_fused_into_conv_and_dense(name: str) -> None:
    m = Model(6, 6, 4)
    x = activation(m, m.norm(m.conv(m.x, "conv", 5), "norm"), name)
    x = m.dense(m.reshape(x, "flat", 180), "dense", 3)
    before = m.graph(activation(m, x, name))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert fused(after) == [("conv", name), ("flat", ""), ("dense", name)]


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [("relu", "relu6", "relu6"), ("relu6", "relu", "relu6"), ("relu", "relu", "relu")],
)
def test_one_after_another(first: str, second: str, both: str) -> None:
    m = Model(6, 6, 4)
    before = m.graph(activation(m, activation(m, m.conv(m.x, "conv", 5), first), second))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert fused(after) == [("conv", both)]


def test_hoisted_over_max_pool_and_reshape() -> None:
    m = Model(6, 6, 4)
    x = m.node("max_pool_2d", "pool", POOL, m.conv(m.x, "conv", 5))
    before = m.graph(activation(m, m.reshape(x, "flat", 45)))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert fused(after) == [("conv", "relu"), ("pool", "none"), ("flat", "")]


def test_hoisted_over_what_only_moves() -> None:
    m = Model(6, 6, 4)
    x = m.node("transpose", "turn", TransposeAttrs((0, 3, 1, 2)), m.conv(m.x, "conv", 5))
    y = m.conv(m.x, "other", 5)
    y = m.node("strided_slice", "cut", attrs_of((slice(None), slice(1, 3)), m.builder.shape(y)), y)
    before = m.graph(activation(m, x), activation(m, y))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert fused(after) == [("conv", "relu"), ("turn", ""), ("other", "relu"), ("cut", "")]


def test_fused_into_average_pool() -> None:
    m = Model(6, 6, 4)
    before = m.graph(activation(m, m.node("average_pool_2d", "pool", POOL, m.conv(m.x, "conv", 5))))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert fused(after) == [("conv", "none"), ("pool", "relu")]


def test_into_normalization_that_stands_alone() -> None:
    m = Model(6, 6, 4)
    before = m.graph(activation(m, m.norm(m.reshape(m.x, "flat", 144), "norm")))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert ("norm", "relu") in fused(after)


def test_not_where_the_value_before_is_needed() -> None:
    m = Model(6, 6, 4)
    y = m.conv(m.x, "conv", 5)
    for outputs in ((y, activation(m, y)), (activation(m, y), m.conv(y, "other", 2))):
        before = m.graph(*outputs)
        after = prepare(before)
        assert_same_meaning(before, after)
        assert "relu" in operators(after)


def test_not_into_what_has_none() -> None:
    m = Model(6, 6, 4)
    before = m.graph(activation(m, m.x))
    assert operators(prepare(before)) == ["relu"]
