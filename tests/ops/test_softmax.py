"""softmax: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.fixed_point import INT32_MAX, high_mul, rounding_divide_by_power_of_two
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import CORES
from mcu_quant.kernels.portable.softmax_table_s8 import softmax_table
from mcu_quant.ops.softmax import SoftmaxAttrs, exponential_table
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


TABLES = [kernel for kernel in KERNELS if kernel.function == "softmax_table_s8"]


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


@pytest.mark.parametrize("elements, taken", [(8191, True), (8192, False)])
def test_rows_whose_sum_could_wrap_have_no_table(elements: int, taken: bool) -> None:
    node = case("long", (elements,), 2.0**-20).node()
    assert [kernel.refusal(node) is None for kernel in TABLES] == [taken] * len(TABLES)


def test_the_longest_row_with_a_table() -> None:
    """All logits are the maximum: the largest sum that there is, and every output is 0."""
    x = np.full((1, 1, 8191), 7, np.int8)
    c_equals_reference(replace(case("longest", (8191,), 0.1), data=(x,)))


@pytest.mark.parametrize("scale", [2.0**-25, 0.003, 0.0541, 0.06, 0.3, 2.0, 40.0])
def test_a_table_ends_where_exponentials_change_nothing(scale: float) -> None:
    node = case("table", (10,), scale).node()
    table, every = softmax_table(node), exponential_table(node)
    assert (table == every[: len(table)]).all()
    rest = every[len(table) :]
    assert (rounding_divide_by_power_of_two(rest, 12) == 0).all()
    # 23: the least shift, for the least sum; the largest reciprocal is 2**31 - 1.
    quotients = rounding_divide_by_power_of_two(high_mul(np.int64(INT32_MAX), rest), 23)
    assert (quotients == 0).all()


@pytest.mark.parametrize(
    ("mode", "scale", "elements", "taken"),
    [
        ("time", 0.001, 2, True),
        ("balanced", 0.05, 10, False),
        ("balanced", 0.05, 600, True),
        ("balanced", 0.1, 10, True),
        ("size", 0.1, 10, False),
        ("size", 0.2, 10, True),
    ],
)
def test_a_table_is_worth_its_bytes(mode: str, scale: float, elements: int, taken: bool) -> None:
    node = case("worth", (elements,), scale).node()
    (kernel,) = (kernel for kernel in TABLES if mode in kernel.modes)
    assert (kernel.refusal(node) is None) == taken
    if taken:
        (plain,) = (kernel for kernel in KERNELS if kernel.name == "softmax_s8")
        assert kernel.cycles(node, CORES["cortex-m4"]) < plain.cycles(node, CORES["cortex-m4"])
