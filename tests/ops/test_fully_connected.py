"""fully_connected: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, linear_case

OP = "fully_connected"
PLAIN, KEEP = FullyConnectedAttrs(), FullyConnectedAttrs(keep_num_dims=True)


def case(name: str, attrs: FullyConnectedAttrs, shape: tuple[int, ...], units: int, **options) -> Case:
    return linear_case(name, OP, attrs, shape, (units, shape[-1]), **options)


CASES = [
    case("small", PLAIN, (1, 8), 4),
    case("odd", PLAIN, (1, 7), 5),
    case("one_unit", PLAIN, (1, 33), 1),
    case("one_input", PLAIN, (1, 1), 6),
    case("three_units", PLAIN, (1, 12), 3),
    case("wide", PLAIN, (1, 640), 19),
    case("keeps_axes", KEEP, (1, 5, 6), 7),
    case("keeps_axes_4d", KEEP, (1, 2, 3, 6), 5),
    case("keeps_axes_per_tensor", KEEP, (1, 3, 6), 7, per_channel=False, bias=False),
    case("keeps_axes_relu", FullyConnectedAttrs("relu", True), (1, 2, 2, 5), 3, bias=False),
    case("keeps_axes_5d", KEEP, (1, 2, 1, 3, 4), 6, zero_points=(-128, 127)),
    case("vector", KEEP, (1, 9), 5, per_channel=False),
    linear_case("flattens_an_image", OP, PLAIN, (1, 2, 3, 4), (5, 24)),
    linear_case("flattens_rows", OP, FullyConnectedAttrs("relu6"), (1, 4, 6), (5, 12), scale_y=0.05),
    case("rows", PLAIN, (1, 4, 6), 5),
    case("relu", FullyConnectedAttrs("relu"), (1, 16), 6),
    case("relu6", FullyConnectedAttrs("relu6"), (1, 16), 6, scale_y=0.05),
    case("relu_n1_to_1", FullyConnectedAttrs("relu_n1_to_1"), (1, 16), 6, scale_y=0.05),
    case("zero_points_low", PLAIN, (1, 16), 6, zero_points=(-128, -128)),
    case("zero_points_high", PLAIN, (1, 16), 6, zero_points=(127, 127)),
    case("per_tensor", PLAIN, (1, 64), 10, per_channel=False),
    case("per_tensor_no_bias", PLAIN, (1, 64), 10, per_channel=False, bias=False),
    case("no_bias", PLAIN, (1, 16), 6, bias=False),
    case("weights_all_minus_128", PLAIN, (1, 40), 6, fill=-128, gain=0.3),
    case("weights_all_127", PLAIN, (1, 40), 6, fill=127, gain=0.3),
    case("saturates_int8", PLAIN, (1, 40), 6, gain=20.0),
    case("float64_sums", PLAIN, (1, 4000), 3, fill=-127, gain=0.05, float_steps=1.5),
    # A ratio of scales above 1 shifts left, where int32 wraps: far from the float meaning, same bits.
    case("left_shift", PLAIN, (1, 16), 6, scale_y=1e-4, float_steps=255),
    case("left_shift_of_12", PLAIN, (1, 16), 6, scale_y=1e-7, float_steps=255),
    case("multiplier_0", PLAIN, (1, 16), 6, scale_y=1e8),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_fully_connected(case: Case, check) -> None:
    check(case)


def test_weights_that_are_computed_are_refused() -> None:
    from dataclasses import replace

    plain = case("computed", PLAIN, (1, 8), 4)
    x, weights, bias = plain.inputs
    computed = replace(plain, inputs=(x, replace(weights, data=None), bias))
    assert node_problems(computed.node())[0].rule == "weights must be constant int8"


def test_a_ratio_of_2_to_the_30_is_refused() -> None:
    steep = case("steep", PLAIN, (1, 8), 4, scale_y=1e-13)
    assert "2**30" in node_problems(steep.node())[0].rule
