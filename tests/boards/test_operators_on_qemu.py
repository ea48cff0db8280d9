"""Every case of every operator's tables, in every form, as generated firmware on a QEMU Cortex-M4."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mcu_quant.boards import load_board
from mcu_quant.deployment import Deployment, GenerateOptions
from mcu_quant.exporters.tflite import write_tflite
from mcu_quant.importers.tflite import read_tflite
from mcu_quant.kernels.base import CORES
from mcu_quant.ops.tolerance import output_tolerances
from mcu_quant.pipeline.deploying import deploy
from mcu_quant.pipeline.models import TfliteModel
from mcu_quant.verify.compare import compare
from tests.hunter.batches import run_on_qemu
from tests.ops.tables import TableCase, table_cases

#: Cases that are compiled into one image.
BATCH = 48
CASES = table_cases()
BATCHES = [CASES[first : first + BATCH] for first in range(0, len(CASES), BATCH)]
CORE, BOARD = "cortex-m4", "mps2_an386"


def deployment_of(case: TableCase, name: str) -> Deployment:
    """As the case's file is read; as it is where no model could begin so, with steps before the batch."""
    file, graph = write_tflite(case.graph), case.graph
    if all(tensor.shape[:1] in ((), (1,)) for tensor in graph.input_tensors()):
        graph = read_tflite(file, name)
    model = TfliteModel(name, file, graph)
    return deploy(model, CORES[CORE], GenerateOptions(), name)


def differences(cases: Sequence[TableCase]) -> list[str]:
    """What is said of each case whose firmware gives other outputs than the reference."""
    deployments = [deployment_of(case, f"case{index}") for index, case in enumerate(cases)]
    results = run_on_qemu(load_board(BOARD), deployments, [case.inputs for case in cases])
    wrong = []
    for case, outputs in zip(cases, results, strict=True):
        found = compare(BOARD, case.expected(), outputs, output_tolerances(case.graph))
        if not found.passed:
            wrong.append(f"{case.op} {case.form} {case.name}: {found}")
    return wrong


@pytest.mark.qemu
@pytest.mark.slow
@pytest.mark.parametrize("cases", BATCHES, ids=lambda cases: f"{cases[0].form}_{cases[0].op}_{cases[0].name}")
def test_operators_on_qemu(cases: Sequence[TableCase]) -> None:
    wrong = differences(cases)
    assert not wrong, "\n".join(wrong)


@pytest.mark.qemu
def test_a_wrong_byte_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison is one: the reference of one case, changed in its last element, is told apart."""
    cases = CASES[:2]
    expected = cases[1].expected()
    expected[0].reshape(-1)[-1] ^= 1
    monkeypatch.setattr(TableCase, "expected", lambda case: expected if case is cases[1] else run(case))
    (said,) = differences(cases)
    assert cases[1].name in said


run = TableCase.expected
