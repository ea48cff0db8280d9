"""The kernels for Helium on random cases: their C twins on the host, their assembly on QEMU."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mcu_quant.kernels.base import Constant
from tests.kernel_harness import run_kernel
from tests.kernels.mve.cases import PAIRS, Maker, kernel_named, random_cases
from tests.kernels.on_board import run_on_board
from tests.ops.driver import Case, operands, reference

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
