"""Convolution and fully connected with the DSP extension: C twins on the host, assembly on QEMU."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.kernels.dsp.conv_2d_dsp_s8 import Conv2DDspS8
from mcu_quant.kernels.dsp.fully_connected_dsp_s8 import FullyConnectedDspS8
from mcu_quant.kernels.dsp.winograd_dsp_s8 import WinogradDspS8
from tests.kernel_harness import run_kernel
from tests.kernels.dsp.linear_cases import random_convolution, random_fully_connected, random_winograd
from tests.kernels.on_board import run_on_board
from tests.ops.driver import Case, operands, reference

#: `make check` leaves these out.
pytestmark = pytest.mark.slow

MAKERS: dict[str, Callable[..., Case]] = {
    "conv_2d": random_convolution,
    "3x3": random_winograd,
    "fully_connected": random_fully_connected,
}
#: Cases are small, and small layers share their assembly; these have their own whatever the size, with
#: loops and without.
OWN = (
    Conv2DDspS8("conv_2d_dsp_straight_s8", "time", flat_bytes=3072, byte_worth=0.1, few_products=0),
    Conv2DDspS8("conv_2d_dsp_looped_s8", "balanced", flat_bytes=256, byte_worth=30, few_products=0),
    FullyConnectedDspS8("fully_connected_dsp_straight_s8", "time", 8, few_weights=0),
    FullyConnectedDspS8("fully_connected_dsp_looped_s8", "balanced", 1, few_weights=0),
)
DSP = [k for k in KERNELS if k.family == "dsp" and "int8" in k.forms and set(k.ops) & set(MAKERS)]
#: In mode size all is shared; elsewhere OWN says more.
ON_BOARD = [kernel for kernel in DSP if "size" in kernel.modes or isinstance(kernel, WinogradDspS8)] + [*OWN]
#: The cores run the same code; `make prove` has thousands of cases.
BOARDS = ("mps2_an386", "mps2_an500", "mps2_an505")


def able(kernel: Kernel, case: Case) -> bool:
    return case.op in kernel.ops and kernel.refusal(case.node()) is None


@pytest.mark.parametrize("op", MAKERS)
@pytest.mark.parametrize("overlapped", [False, True], ids=["apart", "overlapped"])
def test_twins(op: str, overlapped: bool) -> None:
    computed = 0
    for index in range(150):
        case = MAKERS[op](index)
        node, arrays = operands(case)
        expected = reference(case)[0]
        for kernel in (*DSP, *OWN):
            if able(kernel, case):
                actual = run_kernel(kernel, node, arrays, overlapped=overlapped)[0]
                np.testing.assert_array_equal(actual, expected, f"{kernel.name}, {case}")
                computed += 1
    assert computed >= 150


@pytest.mark.qemu
@pytest.mark.parametrize("op", MAKERS)
@pytest.mark.parametrize("board", BOARDS)
def test_assembly(op: str, board: str) -> None:
    check_on_board(op, board, range(40 if board == BOARDS[0] else 12))


def check_on_board(op: str, board: str, indices: range) -> None:
    """Each kernel on each case that it takes, the extremes and a random input, byte for byte."""
    for optimize in ("time", "balanced", "size"):
        tasks = [
            (case, kernel)
            for case in map(MAKERS[op], indices)
            for kernel in ON_BOARD
            if optimize in kernel.modes and able(kernel, case)
        ]
        cases = [(case.graph(), kernel, case.samples_of_inputs()) for case, kernel in tasks]
        for (case, kernel), actual in zip(tasks, run_on_board(board, cases, optimize=optimize), strict=True):
            np.testing.assert_array_equal(actual[0], reference(case)[0], f"{kernel.name}, {case}, {optimize}")
