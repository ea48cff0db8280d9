"""average_pool_2d: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from mcu_quant.ops.pooling import Pool2DAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, unary_case


def case(
    name: str,
    shape: tuple[int, ...],
    size: tuple[int, int],
    strides: tuple[int, int],
    padding: str = "valid",
    activation: str = "none",
    **options,
) -> Case:
    attrs = Pool2DAttrs(size, strides, padding, activation)
    return unary_case(name, "average_pool_2d", attrs, (1, *shape), **options)


CASES = [
    case("halves", (8, 6, 5), (2, 2), (2, 2)),
    case("odd_valid", (7, 5, 3), (2, 2), (2, 2)),
    case("odd_same", (7, 5, 3), (2, 2), (2, 2), "same"),
    case("overlapping_windows", (7, 8, 4), (3, 3), (1, 2), "same"),
    case("window_larger_than_input", (3, 2, 4), (5, 7), (1, 1), "same"),
    case("everything", (6, 5, 7), (6, 5), (1, 1)),
    case("stride_past_the_edge", (7, 6, 3), (2, 2), (5, 4)),
    case("stride_past_the_edge_same", (7, 6, 3), (2, 2), (5, 4), "same"),
    case("stride_larger_than_window", (8, 9, 2), (1, 2), (3, 3), "same"),
    case("time", (15, 1, 4), (3, 1), (2, 1), "same"),
    case("one_channel", (5, 5, 1), (2, 3), (1, 1)),
    case("one_element", (1, 1, 1), (1, 1), (1, 1)),
    case("rows_differ_from_columns", (9, 8, 5), (3, 2), (2, 3), "same"),
    case("relu", (6, 6, 3), (2, 2), (2, 2), activation="relu"),
    case("relu6", (6, 6, 3), (2, 2), (2, 2), "same", "relu6", x=(0.09, -7)),
    case("zero_point_low", (6, 6, 3), (3, 3), (2, 2), "same", x=(0.1, -128)),
    case("zero_point_high", (6, 6, 3), (3, 3), (2, 2), "same", "relu", x=(0.1, 127)),
    case("many_elements", (24, 30, 2), (24, 30), (1, 1), samples=30),
    case("pairs", (2, 64, 3), (2, 1), (1, 1), samples=30),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_average_pool_2d(case: Case, check) -> None:
    check(case)


def test_another_output_scale_is_refused() -> None:
    rescaled = case("rescaled", (4, 4, 1), (2, 2), (2, 2), x=(0.1, 0), y=(0.2, 0))
    assert "same scale" in node_problems(rescaled.node())[0].rule
