"""Kernels without weights that use the DSP extension: C twins on the host, the assembly on QEMU.

MCU_QUANT_CASES=400 tries more random cases on QEMU than the few that there is time for otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.ir import QuantParams
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.pooling import Pool2DAttrs
from tests.kernel_harness import run_kernel
from tests.kernels.dsp.weightless_cases import (
    binary_case,
    every_pair,
    random_binary,
    random_max_pool,
    random_quantize,
)
from tests.kernels.on_board import run_on_board
from tests.ops.driver import Case, activation, may_overlap, operands, reference, unary_case

ON_BOARD = range(int(os.environ.get("MCU_QUANT_CASES", "16")))
MAKERS: dict[str, Callable[[int], Case]] = {
    "max_pool_2d_s8_dsp": random_max_pool,
    "binary_s8_dsp": random_binary,
    "quantize_f32_dsp": random_quantize,
}


def kernel_named(name: str) -> Kernel:
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == name)
    return kernel


def tasks(name: str, indices: range) -> list[tuple[Case, Kernel]]:
    kernel = kernel_named(name)
    return [(case, kernel) for case in map(MAKERS[name], indices) if kernel.refusal(case.node()) is None]


@pytest.mark.parametrize("name", MAKERS)
def test_twins(name: str) -> None:
    chosen = tasks(name, range(120))
    assert len(chosen) >= 60
    for case, kernel in chosen:
        node, arrays = operands(case)
        expected = reference(case)[0]
        np.testing.assert_array_equal(run_kernel(kernel, node, arrays)[0], expected, str(case))
        if may_overlap(kernel, node):
            actual = run_kernel(kernel, node, arrays, overlapped=True)[0]
            np.testing.assert_array_equal(actual, expected, f"{case}, overlapped")


def check_on_board(board: str, chosen: list[tuple[Case, Kernel]], optimize: str = "time") -> None:
    cases = [(case.graph(), kernel, case.samples_of_inputs()) for case, kernel in chosen]
    for (case, _), actual in zip(chosen, run_on_board(board, cases, optimize=optimize), strict=True):
        np.testing.assert_array_equal(actual[0], reference(case)[0], f"{case}, {optimize}")


@pytest.mark.qemu
@pytest.mark.parametrize(
    ("board", "optimize"), [("mps2_an386", "time"), ("mps2_an500", "balanced"), ("mps2_an505", "size")]
)
def test_assembly(board: str, optimize: str) -> None:
    check_on_board(board, [task for name in MAKERS for task in tasks(name, ON_BOARD)], optimize)


@pytest.mark.parametrize("channels, taken", [(3, False), (4, True), (1023, True), (1024, False)])
def test_maximum_pooling_takes_whole_words_that_offsets_reach(channels: int, taken: bool) -> None:
    case = unary_case("channels", "max_pool_2d", Pool2DAttrs((2, 2), (2, 2)), (1, 4, 4, channels))
    assert (kernel_named("max_pool_2d_s8_dsp").refusal(case.node()) is None) == taken


@pytest.mark.qemu
def test_long_windows_are_loops() -> None:
    """Runs of more elements than are straight-line code, in one run and in several; far channels."""
    shapes = [((1, 20, 30, 5), (19, 25)), ((1, 7, 40, 4), (7, 40)), ((1, 3, 3, 1023), (3, 2))]
    cases = [
        unary_case(f"long {shape}", "max_pool_2d", Pool2DAttrs(size, (1, 2)), shape, samples=2)
        for shape, size in shapes
    ]
    check_on_board("mps2_an386", [(case, kernel_named("max_pool_2d_s8_dsp")) for case in cases])


@pytest.mark.qemu
def test_sums_and_products_of_every_pair_of_bytes() -> None:
    kernel = kernel_named("binary_s8_dsp")
    cases = [every_pair(index) for index in range(len(ON_BOARD) // 4)]
    assert all(kernel.refusal(case.node()) is None for case in cases)
    check_on_board("mps2_an386", [(case, kernel) for case in cases])


@pytest.mark.parametrize(
    ("op", "scale", "inside", "outside"),
    [("mul", 1.0, 2.0**-0.5, 1.5), ("mul", 1.0, 2.0**-22.5, 2.0**-23.5), ("add", 1.0, 2.0**-3.5, 2.0**-4.5)],
)
def test_scales_beyond_which_the_shifts_do_not_fit(
    op: str, scale: float, inside: float, outside: float
) -> None:
    """inside, outside: the ratio of scales of the operands, or their product, to the output."""
    operands = [activation(name, (1, 4), scale, 3) for name in "ab"]
    taken = []
    for ratio in (inside, outside):
        quant = QuantParams.per_tensor(1 / ratio, -128)
        case = Case("scales", op, ArithmeticAttrs(), tuple(operands), quant)
        taken.append(kernel_named("binary_s8_dsp").refusal(case.node()) is None)
    assert taken == [True, False]


@pytest.mark.parametrize(("exponent", "taken"), [(-29, True), (-31, False), (-40, False)])
def test_operands_that_hardly_count(exponent: int, taken: bool) -> None:
    operands = [activation("a", (1, 4), 1.0, 3), activation("b", (1, 4), 1.01 * 2.0**exponent, -8)]
    case = binary_case("small", "sub", operands, 5, 1.0)
    assert (kernel_named("binary_s8_dsp").refusal(case.node()) is None) == taken
