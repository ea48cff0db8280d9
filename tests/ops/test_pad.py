"""pad: meaning, bits and C. Each ID reruns one case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.ir import Tensor
from mcu_quant.kernels import KERNELS
from mcu_quant.memory import plan_memory
from mcu_quant.ops.pad import PadAttrs
from mcu_quant.ops.support import node_problems
from tests.ops.driver import CHECKS, Case, check_name, unary_case


def case(name: str, shape: tuple[int, ...], *paddings: tuple[int, int], **options) -> Case:
    """paddings: of every axis but the batch."""
    return unary_case(name, "pad", PadAttrs(((0, 0), *paddings)), (1, *shape), **options)


CASES = [
    case("border", (4, 5, 3), (1, 1), (1, 1), (0, 0)),
    case("uneven", (4, 5, 3), (1, 2), (0, 3), (0, 0)),
    case("channels", (4, 5, 3), (0, 0), (0, 0), (2, 1)),
    case("all_axes", (4, 5, 3), (1, 0), (2, 1), (1, 3)),
    case("nothing", (4, 5, 3), (0, 0), (0, 0), (0, 0)),
    case("time", (7, 3), (2, 0), (0, 0)),
    case("vector", (7,), (2, 3)),
    case("one_element", (1, 1, 1), (1, 0), (0, 1), (0, 0)),
    case("rows_of_pixels", (6, 5, 4), (2, 3), (0, 0), (0, 0)),
    case("only_before", (3, 2, 5), (4, 0), (3, 0), (2, 0)),
    case("zero_point_low", (4, 5, 3), (1, 1), (1, 1), (0, 0), x=(0.1, -128)),
    case("zero_point_high", (4, 5, 3), (1, 1), (1, 1), (0, 0), x=(0.1, 127)),
]


def with_border(name: str, value: int) -> Case:
    """A border of that raw value."""
    plain = case(name, (4, 5, 3), (1, 1), (2, 0), (0, 1))
    border = Tensor.constant("border", np.full(1, value, np.int8), plain.output_quant)
    return replace(plain, inputs=(*plain.inputs, border))


CASES += [with_border("border_value_low", -128), with_border("border_value_high", 127)]


@pytest.mark.parametrize("check", CHECKS, ids=check_name)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_pad(case: Case, check) -> None:
    check(case)


def test_five_axes_are_refused() -> None:
    five = case("five", (2, 2, 2, 2), (0, 0), (1, 1), (0, 0), (0, 0))
    assert node_problems(five.node())[0].rule == "at most 4 axes"


def test_axes_without_padding_are_part_of_the_row() -> None:
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == "pad_s8")
    node = case("rows", (6, 5, 4), (2, 3), (1, 0), (0, 0)).node()
    assert kernel.call(node).params["input_size"] == (1, 1, 6, 20)
    assert kernel.call(node).params["output_size"] == (1, 1, 11, 24)


def test_the_input_lies_in_the_output() -> None:
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == "pad_s8")
    padded = case("border", (16, 16, 16), (1, 1), (1, 1), (0, 0))
    assert plan_memory(padded.graph(), [kernel]).arena_bytes == 18 * 18 * 16
