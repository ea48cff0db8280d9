"""conv_2d: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import C_CHECKS, CHECKS, Case, check_name, linear_case

OP = "conv_2d"
SAME, VALID = Conv2DAttrs(), Conv2DAttrs(padding="valid")


def case(name: str, attrs: Conv2DAttrs, shape: tuple[int, ...], weights: tuple[int, ...], **options) -> Case:
    return linear_case(name, OP, attrs, (1, *shape), weights, **options)


CASES = [
    case("pointwise", SAME, (3, 5, 8), (6, 1, 1, 8)),
    case("same_3x3", SAME, (7, 5, 3), (8, 3, 3, 3)),
    case("valid_3x3", VALID, (7, 5, 3), (5, 3, 3, 3)),
    case("even_filter_same", SAME, (6, 7, 2), (3, 4, 2, 2)),
    case("filter_larger_than_input", SAME, (2, 3, 2), (3, 5, 7, 2)),
    case("filter_is_input", VALID, (4, 3, 5), (7, 4, 3, 5)),
    case("stride_2", Conv2DAttrs(strides=(2, 2)), (8, 9, 3), (4, 3, 3, 3)),
    case("stride_past_the_edge", Conv2DAttrs(strides=(5, 4)), (7, 6, 3), (4, 2, 2, 3)),
    case("stride_past_the_edge_valid", Conv2DAttrs((5, 4), "valid"), (7, 6, 3), (4, 2, 2, 3)),
    case("stride_larger_than_filter", Conv2DAttrs(strides=(3, 3)), (8, 8, 2), (2, 1, 1, 2)),
    case("different_strides", Conv2DAttrs(strides=(1, 3)), (5, 11, 2), (3, 3, 5, 2)),
    case("time", Conv2DAttrs(strides=(2, 1)), (15, 1, 4), (6, 5, 1, 4)),
    case("keyword_first_layer", Conv2DAttrs(strides=(2, 2), activation="relu"), (49, 10, 1), (9, 10, 4, 1)),
    case("dilated", Conv2DAttrs(dilation=(2, 3)), (9, 10, 3), (4, 3, 3, 3)),
    case("dilated_valid", Conv2DAttrs((1, 1), "valid", (3, 2)), (9, 10, 3), (5, 3, 3, 3)),
    case("dilated_past_the_input", Conv2DAttrs(dilation=(4, 5)), (2, 1, 3), (4, 2, 2, 3)),
    case("dilated_height_only", Conv2DAttrs(dilation=(2, 1)), (9, 6, 3), (4, 3, 3, 3)),
    case("dilated_filter_of_the_inputs_size", Conv2DAttrs((4, 1), "same", (2, 1)), (4, 1, 8), (8, 4, 1, 8)),
    case("groups", SAME, (5, 5, 6), (9, 3, 3, 2)),
    case("groups_of_many_outputs", SAME, (4, 5, 4), (14, 3, 3, 2)),
    case("groups_are_channels", VALID, (5, 5, 3), (6, 3, 3, 1)),
    case("groups_dilated_stride", Conv2DAttrs((2, 1), "same", (1, 2)), (9, 8, 8), (8, 3, 3, 4)),
    case("one_channel", SAME, (5, 5, 1), (1, 3, 3, 1)),
    case("one_element", SAME, (1, 1, 1), (1, 1, 1, 1)),
    case("four_outputs", SAME, (3, 3, 3), (4, 3, 3, 3)),
    case("relu", Conv2DAttrs(activation="relu"), (5, 5, 3), (4, 3, 3, 3)),
    case("relu6", Conv2DAttrs(activation="relu6"), (5, 5, 3), (4, 3, 3, 3), scale_y=0.05),
    case("relu_n1_to_1", Conv2DAttrs(activation="relu_n1_to_1"), (5, 5, 3), (4, 3, 3, 3), scale_y=0.1),
    case("zero_points_low", SAME, (5, 5, 3), (4, 3, 3, 3), zero_points=(-128, -128)),
    case("zero_points_high", SAME, (5, 5, 3), (4, 3, 3, 3), zero_points=(127, 127)),
    case("zero_points_opposite", SAME, (5, 5, 3), (4, 3, 3, 3), zero_points=(-128, 127)),
    case(
        "relu_with_zero_point_high",
        Conv2DAttrs(activation="relu"),
        (5, 5, 3),
        (4, 3, 3, 3),
        zero_points=(0, 127),
    ),
    case("per_tensor", SAME, (5, 5, 3), (6, 3, 3, 3), per_channel=False),
    case("no_bias", SAME, (5, 5, 3), (6, 3, 3, 3), bias=False),
    case("weights_all_minus_128", SAME, (5, 5, 3), (5, 3, 3, 3), fill=-128, gain=0.3),
    case("weights_all_127", VALID, (5, 5, 3), (5, 3, 3, 3), fill=127, gain=0.3),
    case("weights_all_0", SAME, (5, 5, 3), (5, 3, 3, 3), fill=0),
    case("saturates_int8", SAME, (5, 5, 8), (5, 3, 3, 8), gain=20.0),
    case("float64_sums", VALID, (4, 4, 64), (3, 4, 4, 64), fill=-127, gain=0.1, float_steps=1.5),
    case("many_channels", SAME, (2, 3, 37), (19, 3, 3, 37)),
    # A ratio of scales above 1 shifts left, where int32 wraps: far from the float meaning, same bits.
    case("left_shift", SAME, (4, 4, 2), (5, 3, 3, 2), scale_y=1e-4, float_steps=255),
    case("left_shift_of_12", SAME, (4, 4, 2), (5, 3, 3, 2), scale_y=1e-7, float_steps=255),
    case("multiplier_0", SAME, (4, 4, 2), (5, 3, 3, 2), scale_y=1e8),
    case("right_shift_of_31", SAME, (4, 4, 2), (5, 3, 3, 2), scale_y=2e6),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_conv_2d(case: Case, check) -> None:
    check(case)


def test_accumulator_overflow_is_refused() -> None:
    # 255 * 127 * 66,400 exceeds 2**31.
    wide = linear_case(
        "wide", OP, VALID, (1, 1, 1, 66400), (1, 1, 1, 66400), fill=127, bias=False, zero_points=(-128, 0)
    )
    problems = node_problems(wide.node())
    assert [problem.rule for problem in problems] == ["no input may overflow the int32 accumulator"]


def test_saturating_accumulator_at_the_limit() -> None:
    """The largest allowed accumulator: 255 * 127 * 66,311, near 2**31; float64 sums, C in int32."""
    limit = linear_case(
        "limit",
        OP,
        VALID,
        (1, 1, 1, 66311),
        (1, 1, 1, 66311),
        fill=127,
        bias=False,
        zero_points=(-128, 0),
        gain=0.005,
        samples=1,
    )
    for check in CHECKS[1:3]:
        check(limit)


def test_groups_that_do_not_divide_are_refused() -> None:
    odd = linear_case("odd_groups", OP, SAME, (1, 3, 3, 4), (5, 1, 1, 2))
    assert "multiple" in node_problems(odd.node())[0].rule


def test_many_random_cases() -> None:
    """Random geometry: reference and C agree, overlapped and not."""
    rng = np.random.default_rng(0)
    for index in range(60):
        groups = int(rng.integers(1, 4))
        depth, per_group = int(rng.integers(1, 6)), int(rng.integers(1, 7))
        filter_h, filter_w = (int(v) for v in rng.integers(1, 5, 2))
        strides, dilation = tuple(map(int, rng.integers(1, 4, 2))), tuple(map(int, rng.integers(1, 4, 2)))
        padding = ("same", "valid")[int(rng.integers(2))]
        least = [(f - 1) * d + 1 for f, d in zip((filter_h, filter_w), dilation, strict=True)]
        height, width = (int(rng.integers(low if padding == "valid" else 1, low + 6)) for low in least)
        random = case(
            f"random_{index}",
            Conv2DAttrs(strides, padding, dilation),
            (height, width, groups * depth),
            (groups * per_group, filter_h, filter_w, depth),
            zero_points=tuple(int(v) for v in rng.integers(-128, 128, 2)),
            samples=1,
        )
        for check in C_CHECKS:
            check(random)
