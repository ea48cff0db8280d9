"""log_softmax: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import pytest

from mcu_quant.ops.log_softmax import LogSoftmaxAttrs
from tests.ops.driver import CHECKS, Case, check_name, unary_case


def _case(
    name: str, shape: tuple[int, ...], scale: float = 0.1, zero_point: int = 3, **options: object
) -> Case:
    x = (scale, zero_point)
    return unary_case(name, "log_softmax", LogSoftmaxAttrs(), shape, x=x, y=(16 / 256, 127), **options)


CASES = [
    _case("vector", (1, 10)),
    _case("rows", (1, 4, 6)),
    _case("image", (1, 3, 2, 5)),
    _case("rank_5", (1, 2, 1, 3, 4)),
    _case("one_class", (1, 3, 1)),
    _case("two_classes", (1, 20, 2)),
    _case("many_classes", (1, 700)),
    _case("most_classes", (1, 4095), samples=1),
    _case("zero_point_low", (1, 4, 6), zero_point=-128),
    _case("zero_point_high", (1, 4, 6), zero_point=127),
    _case("flat", (1, 12), 2e-5),
    _case("flattest", (1, 12), 2.0**-25),
    _case("steep", (1, 12), 3.0),
    _case("steepest", (1, 12), 40.0),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_log_softmax(case: Case, check) -> None:
    check(case)
