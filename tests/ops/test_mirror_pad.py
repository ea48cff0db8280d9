"""mirror_pad: both modes, every axis, borders as wide as they may be. Each ID reruns one case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mcu_quant.ops.mirror_pad import MirrorPadAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, same_in_a_file, unary_case


def case(name: str, mode: str, shape: tuple[int, ...], *paddings: tuple[int, int], **options: Any) -> Case:
    """paddings: of every axis but the batch."""
    return unary_case(name, "mirror_pad", MirrorPadAttrs(((0, 0), *paddings), mode), (1, *shape), **options)


CASES = [
    case("reflect", "reflect", (4, 5, 3), (1, 1), (2, 1), (0, 0)),
    case("symmetric", "symmetric", (4, 5, 3), (1, 1), (2, 1), (0, 0)),
    case("widest_reflect", "reflect", (4, 3, 2), (3, 3), (2, 2), (1, 1), x=(0.1, -128)),
    case("widest_symmetric", "symmetric", (4, 3, 2), (4, 4), (3, 3), (2, 2), x=(0.1, 127)),
    case("uneven", "reflect", (4, 5, 3), (0, 2), (3, 0), (0, 0)),
    case("channels", "symmetric", (2, 3, 5), (0, 0), (0, 0), (2, 3)),
    case("time", "reflect", (7, 3), (2, 3), (0, 0)),
    case("vector", "reflect", (7,), (2, 6)),
    case("rows", "symmetric", (6, 5, 4), (2, 3), (0, 0), (0, 0)),
    case("nothing", "reflect", (4, 5, 3), (0, 0), (0, 0), (0, 0)),
    case("one_element", "symmetric", (1, 1, 1), (1, 0), (0, 1), (1, 1)),
    case("five_axes", "reflect", (3, 2, 4, 2), (1, 2), (0, 1), (2, 3), (1, 1)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_mirror_pad(case: Case, check: Callable[[Case], None]) -> None:
    check(case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_file_says_the_same(case: Case) -> None:
    same_in_a_file(case)


@pytest.mark.parametrize(("mode", "width"), [("reflect", 4), ("symmetric", 5)])
def test_borders_wider_than_what_they_mirror_are_refused(mode: str, width: int) -> None:
    wide = unary_case("wide", "mirror_pad", MirrorPadAttrs(((0, 0), (0, width)), mode), (1, 4))
    (problem,) = node_problems(wide.node())
    assert "wider than what it mirrors" in problem.rule and mode in problem.value


def test_six_axes_are_refused() -> None:
    six = case("six", "reflect", (2, 2, 2, 2, 2), *((0, 0),) * 5)
    assert [problem.rule for problem in node_problems(six.node())] == ["at most 5 axes"]
