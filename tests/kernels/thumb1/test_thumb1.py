"""Thumb-1 kernels: twins on the host, the assembly on machines with and without traps for unaligned words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.kernels.short_requantization import Requantization, ShortRequantization, fit_digits
from mcu_quant.kernels.thumb1 import requantize
from tests.kernel_harness import run_kernel
from tests.kernels.on_board import BoardCase, run_on_board
from tests.kernels.thumb1.cases import random_cases
from tests.ops.driver import Case, operands, reference

THUMB1 = [kernel for kernel in KERNELS if kernel.family == "thumb1"]


Pairs = list[tuple[Case, Kernel]]


def with_kernels(cases: Sequence[Case]) -> Pairs:
    """Each case with every thumb-1 kernel that computes it."""
    return [
        (case, kernel)
        for case in cases
        for node in (case.node(),)
        for kernel in THUMB1
        if node.node.op in kernel.ops and kernel.refusal(node) is None
    ]


def test_most_cases_have_kernels() -> None:
    counts = Counter(kernel.name for _, kernel in with_kernels(random_cases(7, 112)))
    assert all(counts[kernel.name] >= 6 for kernel in THUMB1), counts


@pytest.fixture
def hard_proofs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if two digits never were enough, nor three for a layer's first channel."""

    def fit(layer: Requantization, folded_bias: np.ndarray, count: int) -> ShortRequantization | None:
        short = fit_digits(layer, folded_bias, count)
        if count == 2 or short is None:
            return None
        rest = np.arange(len(folded_bias)) > 0
        return replace(
            short,
            proven=short.proven & rest,
            multiplier=short.multiplier * rest,
            addend=short.addend * rest,
            step=short.step * rest,
        )

    monkeypatch.setattr(requantize, "fit_digits", fit)
    requantize.form_of.cache_clear()
    yield
    requantize.form_of.cache_clear()


@pytest.mark.parametrize("seed", range(4))
def test_twins(seed: int) -> None:
    check_twins(with_kernels(random_cases(seed, 70)))


def test_twins_of_hard_proofs(hard_proofs: None) -> None:
    check_twins(with_kernels(random_cases(100, 70)))


def check_twins(chosen: Pairs) -> None:
    for case, kernel in chosen:
        node, arrays = operands(case)
        (expected,) = reference(case)
        ways = [False, True] if kernel.overlap(node)[0] is not None else [False]
        for overlapped in ways:
            (actual,) = run_kernel(kernel, node, arrays, overlapped=overlapped)
            assert np.array_equal(actual, expected), f"{case.name}, {kernel.name}, overlapped: {overlapped}"


@pytest.mark.qemu
@pytest.mark.parametrize("board", ["mps2_an385_m0plus", "microbit"])
def test_assembly(board: str) -> None:
    # Few fit an image of the small board, and `make prove` has more of them.
    count = 49 if board == "microbit" else 112
    check_assembly(board, with_kernels(random_cases(7, count, samples=21)))


@pytest.mark.qemu
def test_assembly_of_hard_proofs(hard_proofs: None) -> None:
    check_assembly("microbit", with_kernels(random_cases(100, 70, samples=21)))


def check_assembly(board: str, chosen: Pairs) -> None:
    cases: list[BoardCase] = [(c.graph(), k, c.samples_of_inputs()) for c, k in chosen]
    for (case, kernel), actual in zip(chosen, run_on_board(board, cases), strict=True):
        (expected,) = reference(case)
        assert np.array_equal(actual[0], expected), f"{case.name}, {kernel.name}"
