"""resize_bilinear: larger, smaller, all ways of comparing pixels. Each ID reruns one case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, same_in_a_file
from tests.ops.test_resize_nearest_neighbor import resize_case, resize_cases

# Steps are rounded to 1/1024 pixel, which adds up: at the 13th pixel to 1.6 steps of the 255 of a hard edge.
CASES = [replace(case, float_steps=3.0) for case in resize_cases("resize_bilinear")]
# A model takes one image; inside, an operator may have more.
TWO_IMAGES = resize_case("two_images", "resize_bilinear", (2, 3, 2, 2), 5, 4, float_steps=3.0)


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", [*CASES, TWO_IMAGES], ids=str)
def test_resize_bilinear(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_file_says_the_same(case: Case) -> None:
    same_in_a_file(case)


def test_steps_that_lead_out_of_the_image_are_refused() -> None:
    """TFLM reads beyond the image there: 2 pixels to 3000 are steps of 1/1024, which is too much."""
    far = resize_case("far", "resize_bilinear", (1, 2, 1, 1), 3000, 1)
    (problem,) = node_problems(far.node())
    assert "1/1024 pixel" in problem.rule and problem.value == "(2, 1) to (3000, 1)"
    assert not node_problems(resize_case("near", "resize_bilinear", (1, 2, 1, 1), 2048, 1).node())
