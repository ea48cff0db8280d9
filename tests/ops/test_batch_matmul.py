"""batch_matmul: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.ir import QuantParams
from mcu_quant.ops.batch_matmul import BatchMatmulAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import C_CHECKS, CHECKS, Case, check_name
from tests.ops.elementwise import Scheme, binary_case

OP = "batch_matmul"
PLAIN = BatchMatmulAttrs()


def case(
    name: str,
    a: tuple[int, ...],
    b: tuple[int, ...],
    attrs: BatchMatmulAttrs = PLAIN,
    *,
    x: tuple[Scheme, Scheme] = ((0.05, 3), (0.02, -7)),
    zero_point: int = 11,
    gain: float = 1.0,
    scale_y: float | None = None,
    **options,
) -> Case:
    """The output's scale makes outputs span about int8, times gain; or it is scale_y."""
    depth = a[-2] if attrs.adj_x else a[-1]
    if scale_y is None:
        scale_y = 3 * 74.0 * 74.0 * x[0][0] * x[1][0] * depth**0.5 / 127 / gain
    return binary_case(name, OP, attrs, a, b, schemes=(*x, (scale_y, zero_point)), **options)


LOW, HIGH = (0.05, -128), (0.02, 127)
CASES = [
    case("two_axes", (1, 5), (5, 7), constant=1),
    case("three_axes", (1, 4, 6), (1, 6, 5)),
    case("adj_y", (1, 4, 6), (1, 5, 6), BatchMatmulAttrs(adj_y=True)),
    case("adj_x", (1, 6, 4), (1, 6, 5), BatchMatmulAttrs(adj_x=True)),
    case("both", (1, 6, 3), (1, 9, 6), BatchMatmulAttrs(True, True)),
    case("heads", (1, 3, 5, 4), (1, 3, 4, 8)),
    case("repeated_second", (1, 3, 5, 4), (1, 1, 4, 6)),
    case("repeated_first", (1, 1, 5, 4), (1, 3, 6, 4), BatchMatmulAttrs(adj_y=True)),
    case("both_repeated", (1, 2, 1, 3, 4), (1, 1, 3, 4, 5)),
    case("constant_second", (1, 2, 5, 4), (1, 2, 4, 6), constant=1),
    case("constant_first", (1, 5, 4), (1, 4, 6), constant=0),
    case("one_element", (1, 1), (1, 1)),
    case("a_row", (1, 1, 7), (1, 7, 9)),
    case("a_column", (1, 9, 7), (1, 7, 1)),
    case("zero_points_apart", (1, 4, 6), (1, 6, 5), x=(LOW, HIGH), zero_point=-128),
    case("zero_points_high", (1, 4, 6), (1, 6, 5), x=((0.05, 127), (0.02, 127)), zero_point=127),
    case("zero_points_low", (1, 4, 6), (1, 6, 5), x=(LOW, (0.02, -128)), zero_point=-128),
    case("saturates", (1, 4, 30), (1, 30, 5), gain=20.0),
    case("deep", (1, 2, 700), (1, 3, 700), BatchMatmulAttrs(adj_y=True), x=(LOW, HIGH)),
    # A ratio of scales above 1 shifts left, where int32 wraps: far from the float meaning, same bits.
    case("left_shift", (1, 4, 6), (1, 6, 5), scale_y=1e-6, float_steps=255),
    case("multiplier_0", (1, 4, 6), (1, 6, 5), scale_y=1e8),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_batch_matmul(case: Case, check) -> None:
    check(case)


def test_a_lower_rank() -> None:
    """Of two ranks, the lower one has batches of 1 in front."""
    for lower in (case("lower_second", (1, 2, 5, 4), (4, 6)), case("lower_first", (5, 4), (1, 2, 4, 6))):
        for check in CHECKS[:3]:
            check(lower)


def test_refusals() -> None:
    long = 33026
    (problem,) = node_problems(case("long", (1, 1, long), (1, long, 1)).node())
    assert "33025 products" in problem.rule
    (problem,) = node_problems(case("axes", (1, 1, 2, 2, 3, 4), (1, 1, 2, 2, 4, 5)).node())
    assert "2 to 5 axes" in problem.rule
    steep = replace(CASES[1], output_quant=QuantParams.per_tensor(1e-13))
    assert "2**30" in node_problems(steep.node())[0].rule


def test_many_random_cases() -> None:
    """Random geometry: reference and C agree, overlapped and not."""
    rng = np.random.default_rng(0)
    for index in range(40):
        rows, depth, columns = (int(v) for v in rng.integers(1, 10, 3))
        batch = tuple(int(v) for v in rng.integers(1, 4, index % 4))
        parts = [tuple(1 if rng.random() < 0.3 else size for size in batch) for _ in "ab"]
        attrs = BatchMatmulAttrs(bool(rng.integers(2)), bool(rng.integers(2)))
        a = (depth, rows) if attrs.adj_x else (rows, depth)
        b = (columns, depth) if attrs.adj_y else (depth, columns)
        random = case(
            f"random_{index}",
            (*parts[0], *a),
            (*parts[1], *b),
            attrs,
            x=((0.05, int(rng.integers(-128, 128))), (0.02, int(rng.integers(-128, 128)))),
            samples=1,
        )
        for check in C_CHECKS:
            check(random)
