"""Depthwise convolutions, sums and means with the DSP extension: twins on the host, assembly on QEMU."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from mcu_quant.kernels import KERNELS
from mcu_quant.kernels.base import Kernel
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from tests.kernel_harness import run_kernel
from tests.kernels.dsp.channel_cases import (
    random_depthwise,
    random_dilated,
    random_large_filter,
    random_mean,
    random_pool,
    random_sum,
)
from tests.kernels.on_board import run_on_board
from tests.ops.driver import Case, linear_case, may_overlap, operands, reference

#: `make check` leaves these out.
pytestmark = pytest.mark.slow

MAKERS: dict[str, Callable[[int], Case]] = {
    "depthwise_planar_s8": random_depthwise,
    "depthwise_lines_s8": random_depthwise,
    "add_s8_dsp": random_sum,
    "average_pool_2d_s8_dsp": random_pool,
    "mean_s8_dsp": random_mean,
}
#: The cores run the same code; `make prove` has thousands of cases.
BOARDS = ("mps2_an386", "mps2_an500", "mps2_an505")


def tasks(
    name: str, indices: range, mode: str | None = None, maker: Callable[[int], Case] | None = None
) -> list[tuple[Case, Kernel]]:
    """Each case with each kernel of that function, and of that mode, that takes it."""
    kernels = [k for k in KERNELS if k.function == name and (mode is None or mode in k.modes)]
    return [
        (case, kernel)
        for case in map(maker or MAKERS[name], indices)
        for kernel in kernels
        if kernel.refusal(case.node()) is None
    ]


@pytest.mark.parametrize("name", MAKERS)
def test_twins(name: str) -> None:
    chosen = tasks(name, range(200))
    assert len(chosen) >= 100
    check_twins(chosen)


def check_twins(chosen: list[tuple[Case, Kernel]]) -> None:
    for case, kernel in chosen:
        node, arrays = operands(case)
        expected = reference(case)[0]
        np.testing.assert_array_equal(run_kernel(kernel, node, arrays)[0], expected, str(case))
        if may_overlap(kernel, node):
            actual = run_kernel(kernel, node, arrays, overlapped=True)[0]
            np.testing.assert_array_equal(actual, expected, f"{case}, overlapped")


@pytest.mark.qemu
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("name", MAKERS)
def test_assembly(name: str, board: str) -> None:
    check_on_board(name, board, range(40 if board == BOARDS[0] else 12))


def check_on_board(name: str, board: str, indices: range, maker: Callable[[int], Case] | None = None) -> None:
    for optimize in ("time", "balanced", "size"):
        chosen = tasks(name, indices, optimize, maker)
        cases = [(case.graph(), kernel, case.samples_of_inputs()) for case, kernel in chosen]
        for (case, _), actual in zip(chosen, run_on_board(board, cases, optimize=optimize), strict=True):
            np.testing.assert_array_equal(actual[0], reference(case)[0], f"{case}, {optimize}")


@pytest.mark.parametrize(("name", "least"), [("depthwise_planar_s8", 30), ("depthwise_lines_s8", 20)])
def test_dilated_twins(name: str, least: int) -> None:
    chosen = tasks(name, range(24), None, random_dilated)
    assert len(chosen) >= least
    check_twins(chosen)


@pytest.mark.qemu
def test_dilated_assembly() -> None:
    """MCU_QUANT_CASES=400 tries more."""
    cases = range(int(os.environ.get("MCU_QUANT_CASES", "10")))
    check_on_board("depthwise_planar_s8", "mps2_an386", cases, random_dilated)


def planes_one_by_one() -> list[tuple[Case, Kernel]]:
    chosen = tasks("depthwise_planar_s8", range(60), "balanced", random_large_filter)
    return [(case, kernel) for case, kernel in chosen if kernel.call(case.node()).params["group"] == 1]


def test_twins_of_large_filters() -> None:
    """Planes one by one; where images shrink too, the output begins exactly where the input does."""
    chosen = planes_one_by_one()
    assert sum(case.attrs.strides != (1, 1) and kernel.in_place(case.node()) for case, kernel in chosen) >= 20
    check_twins(chosen)


@pytest.mark.qemu
def test_assembly_of_large_filters() -> None:
    assert len(planes_one_by_one()) >= 30
    check_on_board("depthwise_planar_s8", "mps2_an386", range(20), random_large_filter)


def test_scratch_of_large_filters_is_small_beside_the_input() -> None:
    for case, kernel in planes_one_by_one():
        line = case.node().input(0).shape[2] + 8
        least = 2 * 7 * line
        assert kernel.scratch_bytes(case.node()) <= max(0.04 * case.node().input(0).bytes, least), case


def long_lines(width: int) -> Case:
    attrs = DepthwiseConv2DAttrs(padding="same")
    return linear_case("long", "depthwise_conv_2d", attrs, (1, 5, width, 3), (1, 3, 3, 3))


def test_long_lines_of_few_channels_are_refused() -> None:
    """They were taken up to 680 pixels, where the assembler refused the function for four planes."""
    for kernel in (k for k in KERNELS if k.function == "depthwise_planar_s8"):
        assert kernel.refusal(long_lines(168).node()) is None
        assert kernel.refusal(long_lines(169).node()) == "lines must be short"


@pytest.mark.qemu
def test_the_longest_lines_of_few_channels_assemble() -> None:
    check_on_board("depthwise_planar_s8", "mps2_an386", range(168, 169), long_lines)


@pytest.mark.parametrize(("dilation", "taken"), [(10, True), (11, False)])
def test_weights_of_zero_between_taps_count_as_weights(dilation: int, taken: bool) -> None:
    """3 rows of 21 or 23 weights: 60 or 66 words."""
    attrs = DepthwiseConv2DAttrs(dilation=(1, dilation))
    case = linear_case("dilated", "depthwise_conv_2d", attrs, (1, 9, 30, 4), (1, 3, 3, 4))
    for kernel in (k for k in KERNELS if k.function == "depthwise_planar_s8"):
        assert (kernel.refusal(case.node()) is None) == taken
