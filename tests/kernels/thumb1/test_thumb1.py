"""Thumb-1 kernels: twins on the host, the assembly on machines with and without traps for unaligned words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from tests.kernel_harness import run_kernel
from tests.kernels.on_board import BoardCase, run_on_board
from tests.kernels.thumb1.cases import random_cases
from tests.ops.driver import Case, operands, reference

THUMB1 = [kernel for kernel in KERNELS if kernel.family == "thumb1"]


def kernel_for(case: Case) -> Kernel | None:
    node = case.node()
    able = [kernel for kernel in THUMB1 if node.node.op in kernel.ops and kernel.refusal(node) is None]
    return able[0] if able else None


def with_kernels(cases: Sequence[Case]) -> list[tuple[Case, Kernel]]:
    """Those that a thumb-1 kernel computes; that must be most."""
    pairs = [(case, kernel) for case in cases if (kernel := kernel_for(case)) is not None]
    assert len(pairs) > 0.7 * len(cases)
    return pairs


@pytest.mark.parametrize("seed", range(6))
def test_twins(seed: int) -> None:
    for case, kernel in with_kernels(random_cases(seed, 70)):
        node, arrays = operands(case)
        (expected,) = reference(case)
        ways = [False, True] if kernel.overlap(node)[0] is not None else [False]
        for overlapped in ways:
            (actual,) = run_kernel(kernel, node, arrays, overlapped=overlapped)
            assert np.array_equal(actual, expected), f"{case.name}, {kernel.name}, overlapped: {overlapped}"


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an385_m0plus", "microbit"])
def test_assembly(board: str) -> None:
    chosen = with_kernels(random_cases(7, 112, samples=21))
    cases: list[BoardCase] = [(c.graph(), k, c.samples_of_inputs()) for c, k in chosen]
    for (case, kernel), actual in zip(chosen, run_on_board(board, cases), strict=True):
        (expected,) = reference(case)
        assert np.array_equal(actual[0], expected), f"{case.name}, {kernel.name}"
