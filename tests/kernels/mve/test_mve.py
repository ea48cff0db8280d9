"""The kernels for Helium on random cases: their C twins on the host, their assembly on QEMU."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.ir import QuantParams
from mcu_quant.kernels.base import Constant
from mcu_quant.ops.binary import ArithmeticAttrs
from mcu_quant.ops.conv_2d import Conv2DAttrs
from mcu_quant.ops.depthwise_conv_2d import DepthwiseConv2DAttrs
from tests.kernel_harness import run_kernel
from tests.kernels.mve.cases import PAIRS, Maker, kernel_named, random_cases
from tests.kernels.on_board import run_on_board
from tests.ops.driver import Case, activation, linear_case, operands, reference

#: `make check` leaves these out.
pytestmark = pytest.mark.slow

BOARD = "mps3_an547"
#: How many cases of each maker; each has six inputs.
HOST_CASES = int(os.environ.get("MCU_QUANT_CASES", "60"))
BOARD_CASES = int(os.environ.get("MCU_QUANT_BOARD_CASES", "24"))
IDS = [f"{kernel}-{maker.__name__}" for kernel, maker in PAIRS]


def _assert_same(case: Case, actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    for a, e in zip(actual, expected, strict=True):
        wrong = np.argwhere(a != e)
        assert not len(wrong), f"{case.name}: {len(wrong)} of {a.size} differ, first at {tuple(wrong[0])}"


@pytest.mark.parametrize(("name", "maker"), PAIRS, ids=IDS)
def test_twin(name: str, maker: Maker) -> None:
    kernel = kernel_named(name)
    for case in random_cases(kernel, maker, HOST_CASES):
        node, arrays = operands(case)
        expected = reference(case)
        _assert_same(case, run_kernel(kernel, node, arrays), expected)
        if kernel.overlap(node)[0] is not None:
            _assert_same(case, run_kernel(kernel, node, arrays, overlapped=True), expected)


@pytest.mark.qemu
@pytest.mark.parametrize(("name", "maker"), PAIRS, ids=IDS)
def test_assembly(name: str, maker: Maker) -> None:
    for tool in ("qemu-system-arm", "arm-none-eabi-gcc"):
        if shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    kernel = kernel_named(name)
    cases = list(random_cases(kernel, maker, BOARD_CASES, first_seed=10_000))
    outputs = run_on_board(BOARD, [(case.graph(), kernel, case.samples_of_inputs()) for case in cases])
    for case, actual in zip(cases, outputs, strict=True):
        _assert_same(case, actual, reference(case))


def _conv(weights: tuple[int, ...], shape: tuple[int, ...] = (1, 4, 4, 16), **options: object) -> Case:
    return linear_case("edge", "conv_2d", Conv2DAttrs(), shape, weights, **options)


def _depthwise(shape: tuple[int, ...], weights: tuple[int, ...], strides: tuple[int, int] = (1, 1)) -> Case:
    return linear_case("edge", "depthwise_conv_2d", DepthwiseConv2DAttrs(strides), shape, weights)


#: Just outside of what a kernel takes, and just inside.
REFUSED = [
    ("conv_2d_s8_mve", _conv((6, 3, 3, 16)), _conv((8, 3, 3, 16))),
    ("conv_2d_s8_mve", _conv((8, 17, 1, 16)), _conv((8, 16, 1, 16))),
    ("conv_2d_s8_mve", _conv((8, 3, 3, 8)), _conv((8, 3, 3, 16))),
    ("conv_2d_s8_mve", _conv((8, 1, 1, 16), scale_y=1e-4), _conv((8, 1, 1, 16))),
    ("conv_2d_columns_s8_mve", _conv((8, 3, 1, 13), (1, 4, 4, 13)), _conv((8, 3, 1, 12), (1, 4, 4, 12))),
    ("fully_connected_s8_mve", _conv((8, 4, 4, 16)), _conv((8, 1, 1, 16), (1, 1, 1, 16))),
    (
        "depthwise_conv_2d_s8_mve",
        _depthwise((1, 9, 9, 16), (1, 5, 3, 16)),
        _depthwise((1, 9, 9, 16), (1, 4, 3, 16)),
    ),
    (
        "depthwise_conv_2d_s8_mve",
        _depthwise((1, 9, 3, 5), (1, 3, 3, 5)),
        _depthwise((1, 9, 4, 5), (1, 3, 3, 5)),
    ),
    (
        "depthwise_conv_1d_s8_mve",
        _depthwise((1, 40, 1, 16), (1, 14, 1, 16)),
        _depthwise((1, 40, 1, 16), (1, 13, 1, 16)),
    ),
    (
        "depthwise_conv_1d_s8_mve",
        _depthwise((1, 40, 1, 15), (1, 3, 1, 15)),
        _depthwise((1, 40, 1, 16), (1, 3, 1, 16)),
    ),
]


@pytest.mark.parametrize(("name", "outside", "inside"), REFUSED, ids=range(len(REFUSED)))
def test_preconditions(name: str, outside: Case, inside: Case) -> None:
    kernel = kernel_named(name)
    assert kernel.refusal(outside.node()) is not None
    assert kernel.refusal(inside.node()) is None


@pytest.mark.parametrize(
    ("ratio", "fused", "taken"),
    [(0.49, "none", True), (0.51, "none", False), (0.51, "relu", True), (1.01, "relu", False)],
)
def test_shifts_of_products(ratio: float, fused: str, taken: bool) -> None:
    """ratio: of the operands' scales, multiplied, to the output's."""
    shape, points = (1, 3, 4), (3, -8)
    factors = tuple(activation(n, shape, 0.1, z) for n, z in zip("ab", points, strict=True))
    output = QuantParams.per_tensor(0.01 / ratio, -5)
    case = Case("shift", "mul", ArithmeticAttrs(fused), factors, output)
    assert (kernel_named("mul_s8_mve").refusal(case.node()) is None) == taken


def test_a_shift_of_zero_needs_a_clamp_at_the_zero_point() -> None:
    """The correction of the rounding of negative numbers is for right shifts of at least one."""
    scale = 0.05 * 0.01 / 0.75
    plain, clamped = (
        linear_case(
            "zero_shift",
            "conv_2d",
            Conv2DAttrs(activation=fused),
            (1, 2, 2, 16),
            (4, 1, 1, 16),
            per_channel=False,
            scale_y=scale,
        )
        for fused in ("none", "relu")
    )
    kernel = kernel_named("conv_2d_s8_mve")
    assert kernel.refusal(plain.node()) is not None
    assert kernel.refusal(clamped.node()) is None


@pytest.mark.parametrize(("name", "maker"), PAIRS, ids=IDS)
def test_changed_tables_are_noticed(name: str, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = kernel_named(name)
    noticed = 0
    for case in random_cases(kernel, maker, 6, first_seed=500):
        node, arrays = operands(case)
        call = kernel.call(node)
        arguments = tuple(
            replace(a, data=a.data ^ np.int8(0x55)) if isinstance(a, Constant) else a for a in call.arguments
        )
        if arguments == call.arguments:
            pytest.skip("the kernel has no table")
        changed = replace(call, arguments=arguments)
        with monkeypatch.context() as patch:
            patch.setattr(type(kernel), "call", lambda *_, changed=changed: changed)
            noticed += int((run_kernel(kernel, node, arrays)[0] != reference(case)[0]).any())
    # Outputs of some cases are at their clamp, whatever the weights.
    assert noticed
