"""depthwise_conv_2d: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import C_CHECKS, CHECKS, Case, check_name, linear_case

OP = "depthwise_conv_2d"
SAME, VALID = DepthwiseConv2DAttrs(), DepthwiseConv2DAttrs(padding="valid")


def case(
    name: str, attrs: DepthwiseConv2DAttrs, shape: tuple[int, ...], weights: tuple[int, ...], **options
) -> Case:
    """weights: (filter_h, filter_w, output channels)."""
    return linear_case(name, OP, attrs, (1, *shape), (1, *weights), **options)


CASES = [
    case("same_3x3", SAME, (7, 5, 8), (3, 3, 8)),
    case("valid_3x3", VALID, (7, 5, 6), (3, 3, 6)),
    case("odd_channels", SAME, (5, 5, 7), (3, 3, 7)),
    case("pointwise", SAME, (5, 4, 5), (1, 1, 5)),
    case("even_filter_same", SAME, (6, 7, 3), (4, 2, 3)),
    case("filter_larger_than_input", SAME, (2, 3, 5), (5, 7, 5)),
    case("stride_2", DepthwiseConv2DAttrs(strides=(2, 2)), (8, 9, 4), (3, 3, 4)),
    case("different_strides", DepthwiseConv2DAttrs(strides=(3, 1)), (8, 9, 4), (3, 3, 4)),
    case("stride_past_the_edge", DepthwiseConv2DAttrs(strides=(5, 4)), (7, 6, 3), (2, 2, 3)),
    case("stride_past_the_edge_valid", DepthwiseConv2DAttrs((5, 4), "valid"), (7, 6, 3), (2, 2, 3)),
    case("time", SAME, (15, 1, 4), (5, 1, 4)),
    case("dilated", DepthwiseConv2DAttrs(dilation=(2, 3)), (9, 10, 5), (3, 3, 5)),
    case("dilated_valid", DepthwiseConv2DAttrs((1, 1), "valid", (3, 2)), (9, 10, 5), (3, 3, 5)),
    case("dilated_past_the_input", DepthwiseConv2DAttrs(dilation=(4, 5)), (2, 1, 4), (2, 2, 4)),
    case("depth_multiplier_2", SAME, (5, 6, 3), (3, 3, 6)),
    case("depth_multiplier_8_of_one_channel", DepthwiseConv2DAttrs(strides=(2, 2)), (9, 7, 1), (5, 4, 8)),
    case("depth_multiplier_dilated", DepthwiseConv2DAttrs(dilation=(2, 2)), (7, 7, 2), (3, 3, 6)),
    case("one_channel", SAME, (5, 5, 1), (3, 3, 1)),
    case("one_element", SAME, (1, 1, 1), (1, 1, 1)),
    case("relu", DepthwiseConv2DAttrs(activation="relu"), (5, 5, 4), (3, 3, 4)),
    case("relu6", DepthwiseConv2DAttrs(activation="relu6"), (5, 5, 4), (3, 3, 4), scale_y=0.04),
    case("zero_points_low", SAME, (5, 5, 4), (3, 3, 4), zero_points=(-128, -128)),
    case("zero_points_high", SAME, (5, 5, 4), (3, 3, 4), zero_points=(127, 127)),
    case("zero_points_opposite", SAME, (5, 5, 4), (3, 3, 4), zero_points=(127, -128)),
    case("per_tensor", SAME, (5, 5, 4), (3, 3, 4), per_channel=False),
    case("no_bias", SAME, (5, 5, 4), (3, 3, 4), bias=False),
    case("weights_all_minus_128", SAME, (5, 5, 4), (3, 3, 4), fill=-128, gain=0.3),
    case("weights_all_127", VALID, (5, 5, 4), (3, 3, 4), fill=127, gain=0.3),
    case("saturates_int8", SAME, (5, 5, 4), (3, 3, 4), gain=20.0),
    # A ratio of scales above 1 shifts left, where int32 wraps: far from the float meaning, same bits.
    case("left_shift", SAME, (4, 4, 5), (3, 3, 5), scale_y=1e-4, float_steps=255),
    case("left_shift_of_12", SAME, (4, 4, 5), (3, 3, 5), scale_y=1e-7, float_steps=255),
    case("multiplier_0", SAME, (4, 4, 5), (3, 3, 5), scale_y=1e8),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_depthwise_conv_2d(case: Case, check) -> None:
    check(case)


def test_channels_that_do_not_divide_are_refused() -> None:
    odd = case("odd_multiplier", SAME, (3, 3, 4), (3, 3, 6), bias=False)
    assert "multiple" in node_problems(odd.node())[0].rule


def test_many_random_cases() -> None:
    """Random geometry: reference and C agree, overlapped and not."""
    rng = np.random.default_rng(0)
    for index in range(60):
        channels, multiplier = int(rng.integers(1, 10)), int(rng.integers(1, 4)) if index % 2 else 1
        size = tuple(map(int, rng.integers(1, 5, 2)))
        strides, dilation = tuple(map(int, rng.integers(1, 4, 2))), tuple(map(int, rng.integers(1, 4, 2)))
        padding = ("same", "valid")[int(rng.integers(2))]
        least = [(f - 1) * d + 1 for f, d in zip(size, dilation, strict=True)]
        height, width = (int(rng.integers(low if padding == "valid" else 1, low + 6)) for low in least)
        random = case(
            f"random_{index}",
            DepthwiseConv2DAttrs(strides, padding, dilation),
            (height, width, channels),
            (*size, channels * multiplier),
            zero_points=tuple(int(v) for v in rng.integers(-128, 128, 2)),
            samples=1,
        )
        for check in C_CHECKS:
            check(random)
