"""resize_nearest_neighbor: larger, smaller, all ways of comparing pixels. Each ID reruns one case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mcu_quant.kernels import KERNELS
from mcu_quant.ops.resize import ResizeAttrs
from mcu_quant.ops.resize_nearest_neighbor import nearest
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, same_in_a_file, unary_case

WAYS = {"": {}, "_corners": {"align_corners": True}, "_centers": {"half_pixel_centers": True}}


def resize_cases(op: str) -> list[Case]:
    """Of images, for either operator."""
    sizes = {
        "twice": ((1, 4, 5, 3), (8, 10)),
        "uneven": ((1, 4, 5, 3), (7, 13)),
        "smaller": ((1, 9, 11, 2), (4, 3)),
    }
    found = [
        resize_case(f"{name}{way}", op, shape, *size, **options)
        for name, (shape, size) in sizes.items()
        for way, options in WAYS.items()
    ]
    found += [
        resize_case("same_size", op, (1, 3, 4, 2), 3, 4, x=(0.1, -128)),
        resize_case("one_pixel", op, (1, 1, 1, 5), 3, 2, half_pixel_centers=True),
        resize_case("to_one_pixel", op, (1, 5, 4, 3), 1, 1, align_corners=True, x=(1e-4, 127)),
        resize_case("time", op, (1, 6, 1, 4), 18, 1, half_pixel_centers=True),
    ]
    return found


def resize_case(name: str, op: str, shape: tuple[int, ...], height: int, width: int, **options: Any) -> Case:
    attrs = {key: options.pop(key) for key in ("align_corners", "half_pixel_centers") if key in options}
    return unary_case(name, op, ResizeAttrs(height, width, **attrs), shape, **options)


CASES = resize_cases("resize_nearest_neighbor")
# A model takes one image; inside, an operator may have more.
TWO_IMAGES = resize_case("two_images", "resize_nearest_neighbor", (2, 3, 2, 2), 5, 4)


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, TWO_IMAGES], ids=str)
def test_resize_nearest_neighbor(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_file_says_the_same(case: Case) -> None:
    same_in_a_file(case)


def test_whole_factors_repeat_pixels() -> None:
    """As Keras's UpSampling says it, for every size that an image has."""
    for size in range(1, 200):
        for factor in range(1, 10):
            attrs = ResizeAttrs(1, 1, half_pixel_centers=True)
            expected = np.repeat(np.arange(size), factor)
            np.testing.assert_array_equal(nearest(attrs, size, size * factor), expected)


def test_the_input_lies_in_the_output() -> None:
    """All but the last rows of an image twice as large may be written before its last row is read."""
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == "resize_nearest_s8")
    node = CASES[0].node()
    (distance,) = kernel.overlap(node)
    assert distance is not None and distance + node.input(0).bytes < node.output.bytes + 10 * 3


def test_refusals() -> None:
    both = resize_case(
        "both", "resize_bilinear", (1, 4, 4, 1), 8, 8, align_corners=True, half_pixel_centers=True
    )
    assert "exclude each other" in node_problems(both.node())[0].rule
    large = resize_case("large", "resize_nearest_neighbor", (1, 1, 1, 1), 1, 65536)
    assert "at most 65535" in node_problems(large.node())[0].rule
