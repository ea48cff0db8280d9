"""Kernels for Cortex-M3: twins on the host, the assembly on the machine; what they may not compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.fixed_point import requantize
from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.armv7m.requantization import Requantization, plan_requantization
from mcu_quant.kernels.base import Constant, Kernel
from mcu_quant.ops.base import activation_range
from mcu_quant.ops.fully_connected import FullyConnectedAttrs
from mcu_quant.ops.linear import accumulator_range, channel_multipliers
from tests.kernel_harness import run_kernel
from tests.kernels.armv7m.cases import random_cases
from tests.kernels.on_board import BoardCase, run_on_board
from tests.ops.driver import Case, linear_case, operands, reference

ARMV7M = [kernel for kernel in KERNELS if kernel.family == "armv7m"]


def kernels_for(case: Case) -> list[Kernel]:
    node = case.node()
    return [kernel for kernel in ARMV7M if node.node.op in kernel.ops and kernel.refusal(node) is None]


def kernel_for(case: Case, mode: str = "time") -> Kernel | None:
    return next((kernel for kernel in kernels_for(case) if mode in kernel.modes), None)


def with_kernels(cases: Sequence[Case]) -> list[tuple[Case, Kernel]]:
    """Each case with every kernel of the family that computes it; one must for most."""
    assert sum(bool(kernels_for(case)) for case in cases) > 0.8 * len(cases)
    return [(case, kernel) for case in cases for kernel in kernels_for(case)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.slow
def test_twins(seed: int) -> None:
    for case, kernel in with_kernels(random_cases(seed, 105)):
        node, arrays = operands(case)
        (expected,) = reference(case)
        ways = [False, True] if kernel.overlap(node)[0] is not None else [False]
        for overlapped in ways:
            (actual,) = run_kernel(kernel, node, arrays, overlapped=overlapped)
            assert np.array_equal(actual, expected), f"{case.name}, {kernel.name}, overlapped: {overlapped}"


@pytest.mark.qemu
@pytest.mark.parametrize("seed", range(100, 102))
def test_assembly(seed: int) -> None:
    chosen = with_kernels(random_cases(seed, 140, samples=24))
    cases: list[BoardCase] = [(case.graph(), kernel, case.samples_of_inputs()) for case, kernel in chosen]
    for (case, kernel), actual in zip(chosen, run_on_board("mps2_an385", cases), strict=True):
        (expected,) = reference(case)
        assert np.array_equal(actual[0], expected), f"{case.name}, {kernel.name}"


def _requantized(plan: Requantization, sums: np.ndarray, channel: int) -> np.ndarray:
    """What mq_armv7m_requantize gives, in Python's integers."""
    multiplier, low, high, shift = (int(word) for word in plan.constants[channel])
    start = (high << 32) | (low & 0xFFFFFFFF)
    left = 1 if plan.rounds_away else shift
    totals = [((int(value) << left) * multiplier + start) >> 32 for value in sums]
    if plan.rounds_away:
        totals = [(((v + (v >> 31)) >> shift) + 2 * plan.zero_point + 1) >> 1 for v in totals]
    else:
        totals = [v >> plan.shift for v in totals]
    return np.clip(totals, plan.low, plan.high)


@pytest.mark.parametrize("activation", ["none", "relu", "relu6"])
@pytest.mark.parametrize("zero_point", [-128, 127, 3])
def test_requantization_at_every_threshold(activation: str, zero_point: int) -> None:
    """Around the first accumulator of each output, and at the ends of the range."""
    for index in range(6):
        attrs = FullyConnectedAttrs(activation=activation)
        gain = (0.1, 0.5, 1.0, 2.0, 8.0, 40.0)[index]
        case = linear_case(
            f"threshold_{index}",
            "fully_connected",
            attrs,
            (1, 40),
            (12, 40),
            gain=gain,
            zero_points=(-7, zero_point),
        )
        node = case.node()
        fold = np.arange(12, dtype=np.int64) * 1000 - 6000
        low, high = accumulator_range(node)
        plan = plan_requantization(node, fold, np.maximum(np.abs(low - fold), np.abs(high - fold)))
        assert plan is not None
        multiplier, shift = channel_multipliers(node)
        limits = activation_range(activation, node.output)
        for channel in range(12):
            accumulators = _near_thresholds(
                int(low[channel]), int(high[channel]), multiplier[channel], shift[channel]
            )
            expected = requantize(accumulators, multiplier[channel], shift[channel]) + zero_point
            actual = _requantized(plan, accumulators - fold[channel], channel)
            assert np.array_equal(actual, np.clip(expected, *limits)), f"{case.name}, channel {channel}"


def _near_thresholds(low: int, high: int, multiplier: int, shift: int) -> np.ndarray:
    steps = (np.arange(-300, 301) - 0.5) * 2.0 ** (31 - shift) / multiplier
    near = (np.rint(steps)[:, None] + np.arange(-3, 4)).astype(np.int64).reshape(-1)
    return np.unique(np.clip(np.append(near, [low, high, 0, -1]), low, high))


def test_mutated_constants_show() -> None:
    """Any word of a table changed by one bit that matters changes an output."""
    case = linear_case("mutated", "fully_connected", FullyConnectedAttrs(), (1, 9), (4, 9), samples=40)
    kernel = kernel_for(case)
    assert kernel is not None
    node, arrays = operands(case)
    (expected,) = reference(case)
    call = kernel.call(node)
    table = call.arguments[1]
    assert isinstance(table, Constant)
    for index in range(len(table.data)):
        changed = replace(table, data=_flipped(table.data, index))
        mutant = _Mutant(kernel, replace(call, arguments=(call.arguments[0], changed, *call.arguments[2:])))
        (actual,) = run_kernel(mutant, node, arrays)
        is_low_word = index >= 18 and (index - 18) % 4 == 1
        assert is_low_word or not np.array_equal(actual, expected), index


def _flipped(table: np.ndarray, index: int) -> np.ndarray:
    """A weight's bit 4, a multiplier's bit 27, or a start's or shift's bits."""
    bit = 4 if index < 18 else (27, 31, 8, 0)[(index - 18) % 4]
    changed = table.view(np.uint32).copy()
    changed[index] ^= np.uint32(1 << bit)
    return changed.view(np.int32)


class _Mutant(Kernel):
    """A kernel with another call."""

    ops = ()

    def __init__(self, kernel: Kernel, call: object) -> None:
        self.name, self.function = kernel.name, kernel.function
        self._call = call

    def call(self, node: object) -> object:  # type: ignore[override]
        return self._call
