"""transpose_conv: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.errors import InvalidModelError, UnsupportedModelError
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.ir import QuantParams, Tensor
from mcu_quant.ops.support import node_problems
from mcu_quant.ops.transpose_conv import TransposeConvAttrs
from tests.ops.driver import C_CHECKS, CHECKS, Case, check_name, linear_case
from tests.ops.int16 import as_int16
from tests.tflite_files import integers, one_operator

OP = "transpose_conv"


def case(
    name: str,
    output: tuple[int, int],
    strides: tuple[int, int],
    shape: tuple[int, ...],
    weights: tuple[int, ...],
    padding: str = "same",
    activation: str = "none",
    **options,
) -> Case:
    attrs = TransposeConvAttrs(output, strides, padding, activation)
    return linear_case(name, OP, attrs, (1, *shape), weights, **options)


CASES = [
    case("doubles", (8, 6), (2, 2), (4, 3, 5), (4, 2, 2, 5)),
    case("filter_3x3", (8, 10), (2, 2), (4, 5, 3), (5, 3, 3, 3)),
    case("valid_3x3", (9, 7), (2, 2), (4, 3, 2), (3, 3, 3, 2), "valid"),
    case("stride_1", (5, 4), (1, 1), (5, 4, 3), (6, 3, 4, 3)),
    case("valid_stride_past_the_filter", (13, 10), (5, 4), (3, 3, 3), (4, 2, 2, 3), "valid"),
    case("filter_past_the_output", (3, 2), (2, 2), (2, 1, 2), (3, 7, 6, 2)),
    case("odd_outputs", (7, 5), (2, 3), (4, 2, 3), (5, 4, 5, 3), activation="relu"),
    case("time", (12, 1), (3, 1), (4, 1, 6), (9, 5, 1, 6)),
    case("one_element", (1, 1), (1, 1), (1, 1, 1), (1, 1, 1, 1)),
    case("relu6", (6, 6), (2, 2), (3, 3, 4), (4, 3, 3, 4), activation="relu6", scale_y=0.05),
    case("relu_n1_to_1", (6, 6), (2, 2), (3, 3, 4), (4, 3, 3, 4), activation="relu_n1_to_1", scale_y=0.1),
    case("zero_points_low", (6, 4), (2, 2), (3, 2, 3), (4, 3, 3, 3), zero_points=(-128, -128)),
    case("zero_points_high", (6, 4), (2, 2), (3, 2, 3), (4, 3, 3, 3), zero_points=(127, 127)),
    case("per_tensor", (6, 4), (2, 2), (3, 2, 3), (4, 3, 3, 3), per_channel=False),
    case("no_bias", (6, 4), (2, 2), (3, 2, 3), (5, 3, 3, 3), bias=False),
    case("weights_all_minus_128", (6, 4), (2, 2), (3, 2, 3), (5, 3, 3, 3), fill=-128, gain=0.3),
    case("saturates", (6, 4), (2, 2), (3, 2, 8), (5, 3, 3, 8), gain=20.0),
    case("left_shift", (6, 4), (2, 2), (3, 2, 2), (5, 3, 3, 2), scale_y=1e-4, float_steps=255),
]
#: Sizes that no convolution brings back: TFLM computes them, LiteRT refuses them.
ODD_SIZES = [
    case("outputs_that_nothing_reaches", (11, 9), (2, 2), (2, 2, 3), (5, 2, 2, 3)),
    case("inputs_that_reach_nothing", (3, 3), (2, 2), (6, 6, 3), (4, 3, 3, 3), "valid"),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, *ODD_SIZES, *map(as_int16, ODD_SIZES)], ids=str)
def test_transpose_conv(case: Case, check) -> None:
    check(case)


def test_channels_that_do_not_fit_are_refused() -> None:
    odd = case("odd", (2, 2), (1, 1), (2, 2, 4), (5, 1, 1, 2))
    assert "channels" in node_problems(odd.node())[0].rule


def test_many_random_cases() -> None:
    """Random geometry: reference and C agree, overlapped and not."""
    rng = np.random.default_rng(0)
    for index in range(40):
        strides = tuple(map(int, rng.integers(1, 5, 2)))
        filter_h, filter_w, depth, outputs = (int(v) for v in rng.integers(1, 7, 4))
        height, width, output_h, output_w = (int(v) for v in rng.integers(1, 9, 4))
        random = case(
            f"random_{index}",
            (output_h, output_w),
            strides,
            (height, width, depth),
            (outputs, filter_h, filter_w, depth),
            ("same", "valid")[index % 2],
            zero_points=tuple(int(v) for v in rng.integers(-128, 128, 2)),
            samples=1,
        )
        for check in C_CHECKS:
            check(random)


REFUSED = {
    "computed shape": (Tensor("shape", (4,), "int32"), "output's shape must be constant"),
    "negative shape": (integers("shape", [1, -4, 4, 2]), "output's shape must be positive"),
    "short shape": (integers("shape", [1, 4]), "must fit together"),
    "huge shape": (integers("shape", [1, 2**30, 4, 2]), "declared shape"),
    "channels": (integers("shape", [1, 4, 4, 7]), "channels must be those of the filters"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_are_refused(name: str) -> None:
    shape, rule = REFUSED[name]
    quant = QuantParams.per_tensor(0.1)
    weights = Tensor.constant("weights", np.ones((2, 1, 1, 3), np.int8), quant)
    x, y = Tensor("x", (1, 2, 2, 3), "int8", quant), Tensor("y", (1, 4, 4, 2), "int8", quant)
    options = {"strideH": 2, "strideW": 2}
    with pytest.raises((InvalidModelError, UnsupportedModelError), match=rule):
        read_tflite(one_operator("TRANSPOSE_CONV", [shape, weights, x], [y], options), "net")
