"""Batch normalization: folded before, behind, through; left standing where folding is not exact."""

from __future__ import annotations

import pytest

from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.reduction import ReductionAttrs
from mcu_quant.ops.strided_slice import attrs_of
from mcu_quant.ops.transpose import TransposeAttrs
from mcu_quant.passes import prepare
from mcu_quant.passes.affine import fold_into_next, fold_into_previous, merge_normalizations
from tests.passes.float_models import Model, assert_same_meaning, operators

POOL = Pool2DAttrs((2, 2), (2, 2))


def behind_conv(m: Model) -> str:
    return m.norm(m.conv(m.x, "main", 5), "norm")


def behind_conv_without_bias(m: Model) -> str:
    return m.norm(m.conv(m.x, "main", 5, bias=False), "norm")


def behind_grouped_conv(m: Model) -> str:
    return m.norm(m.conv(m.x, "main", 6, groups=2), "norm")


def behind_depthwise(m: Model) -> str:
    return m.norm(m.depthwise(m.x, "main", multiplier=2), "norm")


def behind_dense(m: Model) -> str:
    return m.norm(m.dense(m.reshape(m.x, "flat", 144), "main", 7), "norm")


def twice_behind_conv(m: Model) -> str:
    return m.norm(m.norm(m.conv(m.x, "main", 5), "norm"), "norm2")


def before_valid_conv(m: Model) -> str:
    return m.conv(m.norm(m.x, "norm"), "main", 5, padding="valid")


def before_grouped_conv(m: Model) -> str:
    return m.conv(m.norm(m.x, "norm"), "main", 6, groups=2, padding="valid")


def before_1x1_same_conv(m: Model) -> str:
    return m.conv(m.norm(m.x, "norm"), "main", 5, size=1)


def before_depthwise(m: Model) -> str:
    return m.depthwise(m.norm(m.x, "norm"), "main", multiplier=3, padding="valid")


def before_same_conv_without_shift(m: Model) -> str:
    return m.conv(m.norm(m.x, "norm", centred=True), "main", 5)


def before_dense_of_more_axes(m: Model) -> str:
    return m.dense(m.norm(m.x, "norm"), "main", 3)


def before_flatten_and_dense(m: Model) -> str:
    return m.dense(m.reshape(m.norm(m.x, "norm"), "flat", 144), "main", 3)


def before_pools_and_dense(m: Model) -> str:
    x = m.node("max_pool_2d", "max", POOL, m.norm(m.x, "norm", positive=True))
    x = m.node("mean", "mean", ReductionAttrs((1, 2)), m.node("average_pool_2d", "average", POOL, x))
    return m.dense(x, "main", 3)


def behind_conv_and_reshape(m: Model) -> str:
    return m.norm(m.reshape(m.conv(m.x, "main", 5, size=1), "squeeze", 36, 5), "norm")


def behind_conv_and_pools(m: Model) -> str:
    x = m.node("max_pool_2d", "max", POOL, m.conv(m.x, "main", 5))
    return m.norm(m.node("average_pool_2d", "average", POOL, x), "norm", positive=True)


def behind_conv_and_moves(m: Model) -> str:
    x = m.node("transpose", "turn", TransposeAttrs((0, 2, 1, 3)), m.conv(m.x, "main", 5))
    x = m.node("strided_slice", "cut", attrs_of((slice(None), slice(1, 3)), m.builder.shape(x)), x)
    return m.norm(x, "norm")


def before_moves_and_dense(m: Model) -> str:
    x = m.node("transpose", "turn", TransposeAttrs((0, 2, 1, 3)), m.norm(m.x, "norm"))
    return m.dense(m.reshape(x, "flat", 144), "main", 3)


FOLDED = (
    behind_conv_and_moves,
    before_moves_and_dense,
    behind_conv,
    behind_conv_without_bias,
    behind_grouped_conv,
    behind_depthwise,
    behind_dense,
    twice_behind_conv,
    before_valid_conv,
    before_grouped_conv,
    before_1x1_same_conv,
    before_depthwise,
    before_same_conv_without_shift,
    before_dense_of_more_axes,
    before_flatten_and_dense,
    before_pools_and_dense,
    behind_conv_and_reshape,
    behind_conv_and_pools,
)


def before_same_conv(m: Model) -> str:
    return m.conv(m.norm(m.x, "norm"), "conv", 5)


def behind_activated_conv(m: Model) -> str:
    return m.norm(m.conv(m.x, "conv", 5, activation="relu"), "norm")


def behind_max_pool_with_negative_scales(m: Model) -> str:
    return m.norm(m.node("max_pool_2d", "max", POOL, m.conv(m.x, "conv", 9)), "norm")


def behind_reshape_that_splits_channels(m: Model) -> str:
    return m.norm(m.reshape(m.conv(m.x, "conv", 6), "split", 6, 12, 3), "norm")


def behind_channels_that_move(m: Model) -> str:
    return m.norm(m.node("transpose", "turn", TransposeAttrs((0, 1, 3, 2)), m.conv(m.x, "main", 5)), "norm")


def of_a_vector(m: Model) -> str:
    return m.norm(m.reshape(m.x, "flat", 144), "norm")


def of_a_sequence(m: Model) -> str:
    return m.norm(m.reshape(m.x, "sequence", 36, 4), "norm")


STANDING = (
    behind_channels_that_move,
    before_same_conv,
    behind_activated_conv,
    behind_max_pool_with_negative_scales,
    behind_reshape_that_splits_channels,
    of_a_vector,
    of_a_sequence,
)


@pytest.mark.parametrize("build", FOLDED, ids=lambda build: build.__name__)
def test_folded(build) -> None:  # type: ignore[no-untyped-def]
    model = Model(6, 6, 4)
    before = model.graph(build(model))
    after = prepare(before)
    assert_same_meaning(before, after)
    expected = [node.name for node in before.nodes if not node.name.startswith("norm")]
    assert [node.name for node in after.nodes] == expected


@pytest.mark.parametrize("build", STANDING, ids=lambda build: build.__name__)
def test_standing_alone_becomes_depthwise(build) -> None:  # type: ignore[no-untyped-def]
    model = Model(6, 6, 4)
    before = model.graph(build(model))
    after = prepare(before)
    assert_same_meaning(before, after)
    (node,) = [node for node in after.nodes if node.name == "norm"]
    assert node.op == "depthwise_conv_2d"


def test_a_shared_producer_is_not_changed() -> None:
    m = Model(6, 6, 4)
    y = m.conv(m.x, "conv", 5)
    before = m.graph(y, m.norm(y, "norm"))
    after = prepare(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["conv_2d", "depthwise_conv_2d"]


def test_a_graph_output_is_not_folded_away() -> None:
    m = Model(6, 6, 4)
    y = m.norm(m.x, "norm")
    before = m.graph(y, m.conv(y, "conv", 5, padding="valid"))
    assert operators(fold_into_next(before)) == ["batch_normalization", "conv_2d"]
    assert_same_meaning(before, prepare(before))


def test_shared_weights_are_folded_for_each_use() -> None:
    m = Model(6, 6, 4)
    weights = m.constant("w", 4, 3, 3, 4)
    x = m.x
    for index in range(2):
        x = m.norm(m.node("conv_2d", f"conv{index}", Conv2DAttrs(), x, weights), f"norm{index}")
    before = m.graph(x)
    after = fold_into_previous(before)
    assert_same_meaning(before, after)
    assert operators(after) == ["conv_2d", "conv_2d"]


def test_merging_is_exact() -> None:
    m = Model(6, 6, 4)
    before = m.graph(m.norm(m.norm(m.norm(m.x, "a"), "b"), "c"))
    after = merge_normalizations(before)
    assert [node.name for node in after.nodes] == ["c"]
    assert_same_meaning(before, after)


def test_fold_keeps_the_name_of_a_graph_output() -> None:
    m = Model(6, 6, 4)
    after = prepare(m.graph(m.norm(m.conv(m.x, "conv", 5), "norm")))
    assert after.outputs == ("norm",) and after.nodes[0].name == "conv"
