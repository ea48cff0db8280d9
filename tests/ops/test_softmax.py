"""softmax: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

import numpy as np
import pytest

from mcu_quant.ops.softmax import SoftmaxAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, c_equals_reference, check_name, reference, unary_case

OUTPUT = (1 / 256, -128)


def case(name: str, shape: tuple[int, ...], scale: float, beta: float = 1.0, **options) -> Case:
    return unary_case(
        name,
        "softmax",
        SoftmaxAttrs(beta),
        (1, *shape),
        x=(scale, options.pop("zero_point", 3)),
        y=OUTPUT,
        **options,
    )


CASES = [
    case("ten", (10,), 0.1, samples=40),
    case("two", (2,), 0.1, samples=40),
    case("one", (1,), 0.1),
    case("rows", (3, 7), 0.08),
    case("image", (3, 4, 5), 0.05),
    case("flat", (12,), 0.001),
    case("flattest", (12,), 2.0**-25),
    case("steep", (12,), 2.0),
    case("steepest", (12,), 40.0),
    case("beta", (10,), 0.2, 0.5),
    case("beta_large", (10,), 0.02, 10.0),
    case("many", (500,), 0.1),
    case("zero_point_low", (10,), 0.1, zero_point=-128),
    case("zero_point_high", (10,), 0.1, zero_point=127),
    *(case(f"scale_{scale:g}", (6,), scale, samples=20) for scale in (0.003, 0.0123, 0.07, 0.242, 0.5, 1.0)),
]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_softmax(case: Case, check) -> None:
    check(case)


def test_every_difference_of_two() -> None:
    """All 65,536 pairs of logits: C equals the reference."""
    values = np.arange(-128, 128, dtype=np.int8)
    pairs = np.stack(np.meshgrid(values, values), axis=-1).reshape(1, 1, -1, 2)
    every = unary_case(
        "pairs", "softmax", SoftmaxAttrs(), (1, pairs.shape[2], 2), x=(0.06, 0), y=OUTPUT, data=(pairs,)
    )
    c_equals_reference(every)


@pytest.mark.parametrize("count", [511, 512, 513, 5000, 9000])
def test_sums_around_512(count: int) -> None:
    """TFLM aborts from a sum of 512 on; here every output is then 0, which is -128."""
    data = (np.full((1, 1, count), 7, np.int8),)
    equal = unary_case("equal", "softmax", SoftmaxAttrs(), (1, count), x=(0.1, 0), y=OUTPUT, data=data)
    (y,) = reference(equal)
    assert (y == (-127 if count < 512 else -128)).all()
    c_equals_reference(equal)


def test_another_output_scale_is_refused() -> None:
    other = unary_case("other", "softmax", SoftmaxAttrs(), (1, 4), x=(0.1, 0), y=(1 / 128, 0))
    assert "1/256" in node_problems(other.node())[0].rule


def test_a_scale_too_small_is_refused() -> None:
    flat = unary_case("flat", "softmax", SoftmaxAttrs(), (1, 4), x=(2.0**-28, 0), y=OUTPUT)
    assert "2**-26" in node_problems(flat.node())[0].rule
