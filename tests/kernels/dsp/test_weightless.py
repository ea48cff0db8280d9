"""Kernels without weights that use the DSP extension: C twins on the host, the assembly on QEMU.

MCU_QUANT_CASES=400 tries more random cases on QEMU than the few that there is time for otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.ops.pooling import Pool2DAttrs
from tests.kernel_harness import run_kernel
from tests.kernels.dsp.weightless_cases import (
    every_pair,
    random_binary,
    random_max_pool,
    random_quantize,
)
from tests.kernels.on_board import run_on_board
from tests.ops.driver import Case, may_overlap, operands, reference, unary_case

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
